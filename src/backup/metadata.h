/* <collection>.metadata.json as mongodump writes it: what mongorestore needs to make the collection again. */
#ifndef TF_BACKUP_METADATA_H
#define TF_BACKUP_METADATA_H

#include "db/operation.h"

/* {options, indexes, uuid, collectionName, type} of a collection of op's database, appended to the empty *out; of one that is not
 * there: no options but `collation` (may be empty), the index on _id, no uuid. */
bool tf_metadata_read(const tf_op *op, const char *collection, const bson_t *collation, bson_t *out, tf_error *err);

/* The name of the file of a collection without its end, as mongodump escapes it: "a%2Fb". */
void tf_metadata_file_name(const char *collection, char *out, size_t size);

#endif
