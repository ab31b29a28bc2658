"""Jobs on a Dask cluster: Dask carries the orders, Git the code and the results, DVC the data.

- `executor` (with the user): names the work tree's snapshot by a ref on the Git remote (`code`), starts a
  `dispatcher` and hands it the jobs with their leases. The dispatcher outlives the command that started it.
- `dispatcher` (beside the user; `desk` is its process): gives each job (`work`) to the `cluster` as a task,
  with an order (`orders`), writes what it hears into the job's folder, judges what it means (`verdicts`) by
  where the job's ref is (`truth`), and takes over the result (`accept`). A job whose worker was lost is given
  out again, three times in all. What it must take off the remote is noted (`left`).
- `task` (in a worker): has an `attempt` `started` as a process of its own and tells how it is getting on.
- `attempt` (beside a worker): fetches the code, claims the job, runs its supervisor in a folder of its own
  (`checkout`) and in a child (`apart`), and publishes the run (`publish`). A `leash` kills it when its worker
  is gone.

One ref on the remote, ``refs/provenote/jobs/<id>``, decides what must happen once (`claims`): a worker that
cannot move it from where the dispatcher knew it to its own claim does not run, and a run is published in the
same push that moves it from that claim to the result. So a task that Dask runs twice, or a worker that was
taken for dead and is not, changes nothing.
"""
