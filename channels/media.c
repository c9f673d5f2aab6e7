/* media.c: media files. A customer's message is stored first, with a file record in state "waiting";
 * QUEUE_MEDIA fetches the bytes afterwards, as often as it takes, so that a platform's outage costs neither
 * the message nor the file. What cannot be had any more, or is too large, ends as "failed" with the reason.
 * The bytes go to the disk as they come and are compared with the sum that the platform names; what differs
 * is fetched again a few times and never kept. The event media.ready tells of each file. What words may be
 * made of (voice, documents) gets a QUEUE_READING job in the same change-set, so whoever waits for those
 * words can rely on the file's "reading" until it is settled. */
#include <stdlib.h>
#include <string.h>

#include "channels/channels_int.h"
#include "channels/file.h"

#include "queue/base/blob.h"
#include "queue/base/clock.h"
#include "queue/base/codec.h"
#include "queue/base/id.h"
#include "queue/base/log.h"
#include "queue/base/option.h"
#include "queue/events.h"

#define NAME_MAX_BYTES 200
#define SUM_TRIES      3 /* fetches whose sum was wrong */

/* ---- records ---- */

/* A name without path and control characters; NULL if nothing is left. malloc'ed. */
static char *name_clean(const char *name)
{
    const char *slash = name != NULL ? strrchr(name, '/') : NULL;
    const char *last = slash != NULL ? slash + 1 : name;
    char *clean = xstrndup(last != NULL ? last : "", NAME_MAX_BYTES);

    for (char *c = clean; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f || strchr("\\\":<>|?*", *c) != NULL) {
            *c = '_';
        }
    }
    if (clean[0] == '\0' || clean[0] == '.') {
        free(clean);
        return NULL;
    }
    return clean;
}

static json_t *file_blank(const char *state, const char *name, const char *type)
{
    json_t *file = json_object();
    char *clean = name_clean(name);
    int64_t now = clock_wall_ms();

    jx_set_str(file, "id", id_new("fil").text);
    jx_set_str(file, "state", state);
    if (clean != NULL) {
        jx_set_str(file, "name", clean);
    }
    jx_set_str(file, "mime_type", type != NULL ? type : "application/octet-stream");
    char *url = xasprintf("/api/v1/files/%s/", jx_str(file, "id"));
    jx_set_str(file, "url", url);
    jx_set_time(file, "created_at", now);
    jx_set_time(file, "updated_at", now);
    free(url);
    free(clean);
    return file;
}

json_t *file_public(const json_t *file)
{
    static const char *const hidden[] = {"uploads", "media_id", "named_sha256", "words"};
    json_t *view = json_copy((json_t *)file);

    CHECK(view != NULL);
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
        json_object_del(view, hidden[i]);
    }
    return view;
}

/* A sum as platforms write it, hex or base64, as hex; false if it is none. */
static bool sum_hex(const char *text, char hex[65])
{
    uint8_t sum[32];
    struct buf bytes;
    size_t len = strlen(text);
    bool good = len == 64 && hex_decode(text, len, sum, sizeof sum);

    buf_init(&bytes, 64);
    if (len == 44 && base64_decode(&bytes, text, len) && bytes.len == sizeof sum) {
        memcpy(sum, bytes.data, sizeof sum);
        good = true;
    }
    buf_fini(&bytes);
    if (good) {
        hex_encode(sum, sizeof sum, hex);
    }
    return good;
}

/* The bytes are there. */
static void file_fill(json_t *file, const char *hex, size_t size, const char *type)
{
    jx_set_str(file, "state", "ready");
    jx_set_str(file, "sha256", hex);
    jx_set_int(file, "size", (int64_t)size);
    jx_set_str(file, "mime_type", type);
    jx_set_time(file, "updated_at", clock_wall_ms());
}

/* Adds the record of bytes that are there. */
static void file_record(struct changes *cs, const char *part, json_t *file)
{
    changes_expect(cs, KIND_FILE, part, jx_str(file, "id"), 0);
    changes_put(cs, KIND_FILE, part, jx_str(file, "id"), file);
}

enum err file_add(struct changes *cs, const char *part, const char *name, const char *type, const void *data,
                  size_t size, json_t **file)
{
    char hex[65];
    enum err rc = blob_put(data, size, hex);

    if (rc != ERR_OK) {
        return rc;
    }
    *file = file_blank("ready", name, type);
    file_fill(*file, hex, size, blob_sniff(data, size, type));
    file_record(cs, part, *file);
    return ERR_OK;
}

enum err file_adopt(struct changes *cs, const char *part, const struct file_source *source, json_t **file)
{
    enum err rc = blob_adopt(source->path, source->sha256, source->size);

    if (rc != ERR_OK) {
        return rc;
    }
    *file = file_blank("ready", source->name, source->type);
    file_fill(*file, source->sha256, source->size, blob_type(source->sha256, source->type));
    file_record(cs, part, *file);
    return ERR_OK;
}

json_t *media_note(struct changes *cs, const char *part, const json_t *channel, const json_t *msg,
                   const json_t *content)
{
    static const char *const types[] = {"image", "video", "audio", "document", "sticker"};
    const char *type = jx_str_or(msg, "type", "");
    const char *media_id = jx_str(content, "id");
    bool media = false;
    json_t *copy = json_copy((json_t *)content);

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        media = media || strcmp(types[i], type) == 0;
    }
    if (!media || media_id == NULL || media_id[0] == '\0') {
        return copy;
    }
    json_t *file = file_blank("waiting", jx_str(content, "filename"), jx_str(content, "mime_type"));
    json_t *payload = json_object();
    jx_set_str(file, "media_id", media_id);
    if (jx_str(content, "sha256") != NULL) {
        jx_set_str(file, "named_sha256", jx_str(content, "sha256"));
    }
    jx_set_str(file, "channel_id", jx_str(channel, "id"));
    jx_set_str(file, "conversation_id", jx_str(msg, "conversation_id"));
    jx_set_str(file, "message_id", jx_str(msg, "id"));
    changes_put(cs, KIND_FILE, part, jx_str(file, "id"), file);
    jx_set_str(payload, "file_id", jx_str(file, "id"));
    changes_push(cs, QUEUE_MEDIA, part, jx_str(file, "id"), 0, payload);
    jx_set(copy, "file", json_pack("{s:s, s:s}", "id", jx_str(file, "id"), "url", jx_str(file, "url")));
    json_decref(payload);
    json_decref(file);
    return copy;
}

/* ---- fetching ---- */

/* A fetch under way. */
struct fetching {
    struct job *job;
    json_t *file, *channel;
    uint64_t rev;
};

static void fetch_end(struct fetching *f, struct changes *cs)
{
    struct job *job = f->job;

    json_decref(f->file);
    json_decref(f->channel);
    free(f);
    job_finish(job, cs, NULL, NULL);
}

static enum err records_read(struct fetching *f)
{
    struct snapshot *snap = NULL;
    const char *part = job_partition(f->job);
    enum err rc = snapshot_open(job_store(f->job), &snap);

    if (rc == ERR_OK) {
        rc = snapshot_get(snap, KIND_FILE, part, jx_str_or(job_payload(f->job), "file_id", "-"), &f->file,
                          &f->rev);
    }
    if (rc == ERR_OK) {
        rc = channel_get(snap, part, jx_str_or(f->file, "channel_id", "-"), &f->channel, NULL);
    }
    snapshot_close(snap);
    return rc;
}

/* Asks for words where the file may hold some. */
static void reading_push(struct fetching *f, struct changes *cs)
{
    const char *type = jx_str_or(f->file, "mime_type", "");
    json_t *payload = json_object();

    if (strncmp(type, "image/", 6) != 0 && strncmp(type, "video/", 6) != 0) {
        jx_set(f->file, "reading", json_pack("{s:s}", "state", "waiting"));
        jx_set_str(payload, "file_id", jx_str(f->file, "id"));
        changes_push(cs, QUEUE_READING, job_partition(f->job), jx_str(f->file, "id"), 0, payload);
    }
    json_decref(payload);
}

/* Writes the settled file with its event and the end of the job. */
static enum err settle(struct fetching *f, struct changes *cs)
{
    struct snapshot *snap = NULL;
    const char *part = job_partition(f->job);
    const char *id = jx_str(f->file, "id");
    struct event_about about = {.agent_id = jx_str(f->channel, "agent_id"),
                                .conversation_id = jx_str(f->file, "conversation_id")};
    json_t *data = json_object();
    enum err rc = snapshot_open(job_store(f->job), &snap);

    if (rc == ERR_OK) {
        bool ready = strcmp(jx_str_or(f->file, "state", ""), "ready") == 0;
        if (ready) {
            reading_push(f, cs);
        }
        changes_expect(cs, KIND_FILE, part, id, f->rev);
        changes_put(cs, KIND_FILE, part, id, f->file);
        if (ready) {
            jx_set(data, "file", file_public(f->file));
            jx_set_str(data, "message_id", jx_str(f->file, "message_id"));
            event_append(cs, snap, part, "media.ready", &about, data, NULL);
        }
        changes_ack(cs, f->job);
        snapshot_close(snap);
    }
    json_decref(data);
    return rc;
}

/* The file cannot be had. */
static void file_fail(struct fetching *f, const char *code, const char *detail)
{
    jx_set_str(f->file, "state", "failed");
    jx_set(f->file, "error", json_pack("{s:s, s:s}", "code", code, "detail", detail));
    jx_set_time(f->file, "updated_at", clock_wall_ms());
    log_warn("media.failed", "file=%s code=%s", jx_str_or(f->file, "id", ""), log_quote(code));
}

/* True if the sum of the bytes is one that the platform named, or it named none. */
static bool sum_fits(const struct fetching *f, const struct media_result *result)
{
    char hex[65];
    const char *named[] = {jx_str_or(f->file, "named_sha256", ""),
                           result->named != NULL ? result->named : ""};
    bool any = false;

    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        if (sum_hex(named[i], hex)) {
            any = true;
            if (strcmp(hex, result->sha256) == 0) {
                return true;
            }
        }
    }
    return !any;
}

static bool begins(const char *type, const char *with)
{
    return strncmp(type, with, strlen(with)) == 0;
}

/* True if the bytes show what was declared: a type of the same family. Of most documents the bytes show
 * nothing. */
static bool types_agree(const char *declared, const char *shown)
{
    bool silent = begins(declared, "application/") && !begins(declared, "application/pdf");

    return declared[0] == '\0' || silent ||
           (begins(declared, "application/") ? begins(shown, declared)
                                             : strncmp(declared, shown, strcspn(declared, "/") + 1) == 0);
}

/* Takes a file that came: its type is what its bytes show. What pretended to be something else is kept as
 * plain bytes, and says so: no reader, no model and no browser takes it for what it claims to be. */
static void file_take(struct fetching *f, const struct media_result *result)
{
    char *declared = xstrdup(result->type[0] != '\0' ? result->type : jx_str_or(f->file, "mime_type", ""));
    const char *shown = blob_type(result->sha256, declared);

    file_fill(f->file, result->sha256, result->size, shown);
    if (!types_agree(declared, shown)) {
        jx_set_str(f->file, "declared_type", declared);
    }
    free(declared);
}

static void fetched(const struct media_result *result, void *arg)
{
    static const struct media_result differs = {.outcome = MEDIA_LATER,
                                                .type = "",
                                                .code = "CHECKSUM",
                                                .detail = "the bytes are not those that the platform names"};
    struct fetching *f = arg;
    struct changes *cs = changes_new();
    const struct queue_row *row = queue_row(QUEUE_MEDIA);
    unsigned tries = row->tries;

    if (result->outcome == MEDIA_HERE && !sum_fits(f, result)) {
        result = &differs;
        tries = SUM_TRIES;
    }
    if (result->outcome == MEDIA_LATER && job_tries(f->job) + 1 < tries) {
        changes_fail(cs, f->job, result->code);
        fetch_end(f, cs);
        return;
    }
    if (result->outcome == MEDIA_HERE) {
        file_take(f, result);
    } else {
        file_fail(f, result->code, result->detail);
    }
    enum err rc = settle(f, cs);
    if (rc != ERR_OK) {
        changes_free(cs);
        cs = changes_new();
        changes_retry(cs, f->job, row->first_ms, err_name(rc));
    }
    fetch_end(f, cs);
}

void media_run(struct job *job, void *arg)
{
    static const struct media_result none = {
        .outcome = MEDIA_GONE, .type = "", .code = "NO_MEDIA", .detail = "this channel fetches no media"};
    struct fetching *f = xcalloc(1, sizeof *f);

    (void)arg;
    f->job = job;
    enum err rc = records_read(f);
    if (rc != ERR_OK || strcmp(jx_str_or(f->file, "state", ""), "waiting") != 0 || job_http(job) == NULL) {
        struct changes *cs = changes_new();
        if (rc == ERR_OK || rc == ERR_NOTFOUND) {
            changes_ack(cs, job);
        } else {
            changes_fail(cs, job, err_name(rc));
        }
        fetch_end(f, cs);
        return;
    }
    const struct channel_ops *ops = channel_sender(job_partition(job), jx_str_or(f->channel, "type", ""));
    struct send_call call = {.http = job_http(job),
                             .loop = job_loop(job),
                             .store = job_store(job),
                             .part = job_partition(job),
                             .channel = f->channel,
                             .tries = job_tries(job)};
    if (ops == NULL || ops->fetch == NULL) {
        fetched(&none, f);
    } else {
        ops->fetch(&call, jx_str_or(f->file, "media_id", ""), fetched, f);
    }
}
