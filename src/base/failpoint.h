/*
 * Named failpoints: places where a test makes the tool die, stall or fail. They compile to nothing unless
 * TF_FAILPOINTS is defined. TOKENFIX_FAILPOINT="name=action[@n][,name=action…]"; the action takes place at the n-th
 * passage (default 1): `kill` (SIGKILL to itself), `stop` (SIGSTOP), `sleep:MS`, `interrupt` (SIGINT to itself).
 * Idea: PostgreSQL's injection_point.h.
 */
#ifndef TF_BASE_FAILPOINT_H
#define TF_BASE_FAILPOINT_H

#ifdef TF_FAILPOINTS
void tf_failpoint_pass(const char *name);
#define TF_FAILPOINT(name) tf_failpoint_pass(name)
#else
#define TF_FAILPOINT(name) ((void)0)
#endif

#endif
