/* Makes started mongods into one that takes writes: initiation, election, users. */
#ifndef TF_SANDBOX_REPLICA_H
#define TF_SANDBOX_REPLICA_H

#include "sandbox/sandbox.h"

/* Waits until every node accepts connections; one that ended is an error with the last line of its log. */
bool tf_replica_await(const tf_sandbox *sandbox, tf_error *err);

/* Initiates the set of the nodes. */
bool tf_replica_initiate(const tf_sandbox *sandbox, tf_error *err);

/* Waits for one writable node, the others secondaries. */
bool tf_replica_elect(const tf_sandbox *sandbox, tf_error *err);

/* Creates admin by the localhost exception, then as admin the roles and the others. Logins are in their order. */
bool tf_replica_users(const tf_sandbox *sandbox, const tf_sandbox_user *users, size_t count, tf_error *err);

/* Drops every database but admin, config and local. */
bool tf_replica_empty(const tf_sandbox *sandbox, tf_error *err);

#endif
