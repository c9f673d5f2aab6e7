/* file.h: media files, in and out: a record beside content-addressed bytes (blob.h).
 *
 * KIND_FILE record: {"id", "state": "waiting|ready|failed", "name"?, "mime_type", "size"?, "sha256"? (hex),
 * "url", "channel_id"?, "conversation_id"?, "message_id"?, "declared_type"? (where the bytes show another
 * one), "media_id"? (the platform's), "named_sha256"? (as the platform wrote it), "error"?: {"code",
 * "detail"}, "reading"?: {"state": "waiting|done|none|failed", "code"?, "detail"?} (words of a voice message
 * or a document; "none": nobody wants them), "words"? (the text of a document), "uploads"?: {CHANNEL_ID:
 * {"id", "at"}}, "created_at", "updated_at"}. Thread: any. */
#ifndef CHASQUI_CHANNELS_FILE_H
#define CHASQUI_CHANNELS_FILE_H

#include <stddef.h>

#include "queue/base/json.h"
#include "queue/store.h"

/* Stores bytes that a caller uploaded and adds their record. name may be NULL, type is what the caller says.
 * New reference in *file. Blocks on the disk. */
enum err file_add(struct changes *cs, const char *part, const char *name, const char *type, const void *data,
                  size_t size, json_t **file) MUST_CHECK;
/* The same for a file on the disk whose sum is known (blob_adopt): it moves to its place. */
struct file_source {
    const char *name; /* may be NULL */
    const char *type; /* what the caller says; may be NULL */
    const char *path;
    const char *sha256; /* lower-case hex */
    size_t size;
};
enum err file_adopt(struct changes *cs, const char *part, const struct file_source *source,
                    json_t **file) MUST_CHECK;
/* The shape that leaves: {"id", "url", "name", "size", "mime_type", "state", "error"?, ...}. New reference.
 */
json_t *file_public(const json_t *file);

#endif
