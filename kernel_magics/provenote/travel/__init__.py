"""Travel back: a past run stands beside the present work, which is never touched."""
