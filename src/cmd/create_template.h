/* The files that `create` writes; their text stands in src/cmd/template/. */
#ifndef TF_CMD_CREATE_TEMPLATE_H
#define TF_CMD_CREATE_TEMPLATE_H

/* migrations/<id>.c and its test. `summary`: one line, without characters that C reads otherwise in a string or a comment.
 * NULL without memory; the caller frees. */
char *tf_template_migration(const char *id, const char *summary);
char *tf_template_test(const char *id, const char *summary);

#endif
