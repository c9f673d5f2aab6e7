/* blob.h: files named by the SHA-256 of their bytes, under one directory: DIR/ab/cdef...
 *
 * A blob is written to a temporary name, synced and renamed, so it is there whole or not at all, and the same
 * bytes are stored once. Who may read a blob is the business of the records that name it. Calls block on the
 * disk: sizes are bounded by their callers. Thread: blob_root at start; the rest from any thread. */
#ifndef CHASQUI_BASE_BLOB_H
#define CHASQUI_BASE_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/base/buf.h"
#include "queue/base/error.h"

/* The directory, which is made when the first blob is; copied. */
void blob_root(const char *dir);
/* hex: 65 bytes. ERR_IO. */
enum err blob_put(const void *data, size_t size, char hex[65]) MUST_CHECK;
/* Makes a blob of a file whose SHA-256 is known: syncs it and moves it to its place. A second call, when the
 * file has gone there, is fine too. path must be on the same file system. ERR_INVALID (hex is none), ERR_IO.
 */
enum err blob_adopt(const char *path, const char *hex, size_t size) MUST_CHECK;
/* Adds the bytes to out; checks them against their name. ERR_NOTFOUND, ERR_CORRUPT, ERR_LIMIT (larger than
 * out takes). */
enum err blob_get(const char *hex, struct buf *out) MUST_CHECK;
/* The type that the bytes themselves show, out of a short list that browsers and platforms handle safely;
 * else "application/octet-stream". declared: believed only for plain text. */
const char *blob_sniff(const void *data, size_t size, const char *declared);
/* The same for a blob that is there, read as far as it needs to be. */
const char *blob_type(const char *hex, const char *declared);
/* Where the bytes lie, whether or not they are there; malloc'ed. NULL if hex is no name. To be read only. */
char *blob_path(const char *hex);
/* ERR_NOTFOUND. */
enum err blob_size(const char *hex, size_t *size) MUST_CHECK;

/* ---- piece by piece, for what must not be held in memory ---- */
struct blob_sink;
/* Never NULL; what goes wrong shows in add and end. */
struct blob_sink *blob_sink_new(void);
bool blob_sink_add(struct blob_sink *sink, const void *data, size_t size);
size_t blob_sink_size(const struct blob_sink *sink);
/* The blob is there; the sink is gone in any case. ERR_IO. */
enum err blob_sink_end(struct blob_sink *sink, char hex[65]) MUST_CHECK;
/* Gives up; NULL is fine. */
void blob_sink_free(struct blob_sink *sink);

/* Removes blobs last put before that wall time which named() does not know, and leftovers of writes that
 * broke off. named is asked without a lock held. Returns how many files went. */
unsigned blob_sweep(int64_t before_ms, bool (*named)(const char *hex, void *arg), void *arg);

#endif
