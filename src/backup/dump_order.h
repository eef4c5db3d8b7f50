/*
 * A dump holds documents in the order in which they were inserted; batches are hashed in the order of _id. For the usual kinds of _id
 * (numbers but decimals, texts, binary data, ObjectIds, booleans, dates) that order can be told without a server, and so can whether
 * the dump is the right one, before anything is written. For others only the server can tell, once they are in a collection.
 */
#ifndef TF_BACKUP_DUMP_ORDER_H
#define TF_BACKUP_DUMP_ORDER_H

#include "backup/inventory.h"

typedef struct tf_dump_order tf_dump_order;

tf_dump_order *tf_dump_order_new(void);
void tf_dump_order_free(tf_dump_order *order);
TF_CLEANUP(tf_dump_order *, tf_dump_order_free)

/* The next document of the file. */
void tf_dump_order_add(tf_dump_order *order, const bson_t *doc);

/* Whether the documents of fd (as they were added, unpacked) are the inventory's batches: 1; 0 and *at, the first batch that is not
 * there; -1 where that cannot be told here, or (*err set) the file not be read. */
int tf_dump_order_prove(tf_dump_order *order, int fd, const tf_inventory *inventory, size_t *at, tf_error *err);

#endif
