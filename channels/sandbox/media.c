/* media.c: media of played customers: uploaded files or bytes given inline become what the simulated platform
 * has; some ids make it fail. */
#include <stdlib.h>
#include <string.h>

#include "channels/sandbox/media.h"

#include "channels/file.h"
#include "queue/base/blob.h"
#include "queue/base/codec.h"

#define INLINE_MAX (16u << 20)

enum behaviour { FETCH_FILE, FETCH_GONE, FETCH_LARGE, FETCH_LATER, FETCH_LIES };

static const struct {
    const char *id;
    enum behaviour behaviour;
    const char *text;
} magic[] = {
#define X(id, behaviour, text) {id, behaviour, text},
#include "channels/sandbox/tbl_sandbox_media.h"
#undef X
};

/* A picture of one dot. */
static const char dot_png[] =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
    "rkJggg==";
static const char wrong_sum[] = "0000000000000000000000000000000000000000000000000000000000000000";

void sandbox_media_list(json_t *list)
{
    for (size_t i = 0; i < sizeof magic / sizeof *magic; i++) {
        jx_push(list, json_pack("{s:s, s:s}", "to", magic[i].id, "behaviour", magic[i].text));
    }
}

/* ---- what a customer sends ---- */

/* Bytes given inline become a file of this mode, added to cs. */
static enum err inline_take(struct changes *cs, const char *part, json_t *own)
{
    struct buf bytes;
    json_t *file = NULL;
    const char *data = jx_str_or(own, "data", "");

    buf_init(&bytes, INLINE_MAX);
    bool good = base64_decode(&bytes, data, strlen(data)) && bytes.len > 0;
    enum err rc = good ? file_add(cs, part, jx_str(own, "filename"), jx_str(own, "mime_type"), bytes.data,
                                  bytes.len, &file)
                       : ERR_INVALID;
    if (rc == ERR_OK) {
        jx_set_str(own, "id", jx_str(file, "id"));
        jx_set_str(own, "sha256", jx_str(file, "sha256"));
        if (jx_str(own, "mime_type") == NULL) {
            jx_set_str(own, "mime_type", jx_str(file, "mime_type"));
        }
        json_object_del(own, "data");
    }
    buf_fini(&bytes);
    json_decref(file);
    return rc;
}

enum err sandbox_media_take(struct changes *cs, const char *part, json_t *own, const char **field)
{
    enum err rc = ERR_OK;

    if (jx_str(own, "data") != NULL) {
        *field = "data";
        rc = inline_take(cs, part, own);
    } else if (jx_str(own, "file_id") != NULL) {
        jx_set_str(own, "id", jx_str(own, "file_id"));
        json_object_del(own, "file_id");
    }
    if (rc == ERR_OK) {
        *field = jx_str(own, "id") != NULL ? NULL : "file_id";
        rc = *field == NULL ? ERR_OK : ERR_INVALID;
    }
    return rc;
}

/* ---- what the platform has ---- */

static void answer(media_done_fn done, void *arg, enum media_outcome outcome, const char *code,
                   const char *detail)
{
    struct media_result result = {
        .outcome = outcome, .type = "", .named = "", .code = code, .detail = detail};

    done(&result, arg);
}

/* The built-in picture, with the sum that the platform names. */
static void answer_dot(media_done_fn done, void *arg, const char *named)
{
    struct buf bytes;
    char hex[65];
    struct media_result result = {
        .outcome = MEDIA_HERE, .sha256 = hex, .type = "image/png", .named = named, .code = "", .detail = ""};

    buf_init(&bytes, sizeof dot_png);
    CHECK(base64_decode(&bytes, dot_png, strlen(dot_png)));
    result.size = bytes.len;
    if (blob_put(bytes.data, bytes.len, hex) == ERR_OK) {
        done(&result, arg);
    } else {
        answer(done, arg, MEDIA_LATER, "DISK", "the file could not be written");
    }
    buf_fini(&bytes);
}

/* A file of this mode. */
static void answer_file(const struct send_call *call, const char *media_id, media_done_fn done, void *arg)
{
    struct snapshot *snap = NULL;
    json_t *file = NULL;
    enum err rc = snapshot_open(call->store, &snap);

    if (rc == ERR_OK) {
        rc = snapshot_get(snap, KIND_FILE, call->part, media_id, &file, NULL);
        snapshot_close(snap);
    }
    const char *sha256 = rc == ERR_OK ? jx_str(file, "sha256") : NULL;
    if (sha256 != NULL) {
        struct media_result result = {.outcome = MEDIA_HERE,
                                      .sha256 = sha256,
                                      .size = (size_t)jx_int(file, "size", 0),
                                      .type = jx_str_or(file, "mime_type", ""),
                                      .named = sha256,
                                      .code = "",
                                      .detail = ""};
        done(&result, arg);
    } else if (rc == ERR_OK || rc == ERR_NOTFOUND) {
        answer(done, arg, MEDIA_GONE, "131052", "Media download error: there is no such file");
    } else {
        answer(done, arg, MEDIA_LATER, "SANDBOX", err_text(rc));
    }
    json_decref(file);
}

void sandbox_fetch(const struct send_call *call, const char *media_id, media_done_fn done, void *arg)
{
    enum behaviour behaviour = FETCH_FILE;

    for (size_t i = 0; i < sizeof magic / sizeof *magic; i++) {
        behaviour = strcmp(magic[i].id, media_id) == 0 ? magic[i].behaviour : behaviour;
    }
    if (behaviour == FETCH_GONE) {
        answer(done, arg, MEDIA_GONE, "131052", "Media download error: the file is gone");
    } else if (behaviour == FETCH_LARGE) {
        answer(done, arg, MEDIA_GONE, "TOO_LARGE", "the file is larger than media files may be");
    } else if (behaviour == FETCH_LATER && call->tries == 0) {
        answer(done, arg, MEDIA_LATER, "131016", "Service unavailable");
    } else if (behaviour == FETCH_LATER || behaviour == FETCH_LIES) {
        answer_dot(done, arg, behaviour == FETCH_LIES ? wrong_sum : "");
    } else {
        answer_file(call, media_id, done, arg);
    }
}
