/* media.c: media of the Graph API. In: resolve the id to an address, which lives five minutes, then download
 * it with the token, from the platform's own hosts only. Out: upload a file of ours, whose id then goes into
 * the message; the id is kept with the file and used again for 29 of the 30 days it lives. Source: Meta,
 * "Media" reference. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channels/whatsapp/whatsapp.h"

#include "queue/base/blob.h"
#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/base/option.h"

#define UPLOAD_LIFE_MS (29 * 86400000LL)
#define DOWNLOAD_MS    120000
#define FILE_MAX       (100u << 20)

/* ---- in ---- */

#define ERROR_MAX 65536 /* bytes of an answer that is no file */

/* A fetch under way; the call's channel is borrowed by contract until done. */
struct fetching {
    struct send_call call;
    media_done_fn done;
    void *arg;
    char *type, *named;
    struct blob_sink *sink; /* takes the file's bytes as they come */
    struct buf error;       /* the body of an answer that is no file */
    bool disk_failed;
};

static void fetch_end(struct fetching *f, const struct media_result *result)
{
    f->done(result, f->arg);
    blob_sink_free(f->sink);
    buf_fini(&f->error);
    free(f->type);
    free(f->named);
    free(f);
}

static void fetch_fail(struct fetching *f, enum media_outcome outcome, const char *code, const char *detail)
{
    struct media_result result = {.outcome = outcome, .type = "", .code = code, .detail = detail};

    fetch_end(f, &result);
}

/* What a failed call means for the file. */
static void fetch_refused(struct fetching *f, const struct httpc_answer *answer)
{
    json_t *body = NULL;
    struct send_result judged = {.code = "NO_ANSWER", .detail = answer->reason};
    enum media_outcome outcome = MEDIA_LATER;

    if (answer->outcome == HTTPC_TOO_LARGE) {
        fetch_fail(f, MEDIA_GONE, "TOO_LARGE", "the file is larger than media files may be");
        return;
    }
    if (answer->outcome == HTTPC_ANSWERED) {
        if (jx_parse_lenient(answer->body, answer->body_size, &body) != ERR_OK) {
            body = NULL;
        }
        judged = whatsapp_judge(answer->status, body, 1);
        outcome = judged.outcome == SEND_REFUSED && answer->status != 404 ? MEDIA_GONE : MEDIA_LATER;
    }
    fetch_fail(f, outcome, judged.code != NULL ? judged.code : "REFUSED",
               judged.detail != NULL ? judged.detail : "");
    json_decref(body);
}

static bool is_fine(const struct httpc_answer *answer)
{
    return answer->outcome == HTTPC_ANSWERED && answer->status >= 200 && answer->status <= 299;
}

/* A piece of the answer: to the disk, or kept if it tells why there is no file. */
static bool download_data(const char *data, size_t size, long status, void *arg)
{
    struct fetching *f = arg;

    if (status < 200 || status > 299) {
        buf_add(&f->error, data, size < ERROR_MAX - f->error.len ? size : ERROR_MAX - f->error.len);
        return true;
    }
    f->disk_failed = !blob_sink_add(f->sink, data, size);
    return !f->disk_failed;
}

static void downloaded(const struct httpc_answer *answer, void *arg)
{
    struct fetching *f = arg;
    struct httpc_answer refusal = *answer;
    char hex[65];
    size_t size = blob_sink_size(f->sink);

    if (!is_fine(answer) && !f->disk_failed) {
        refusal.body = buf_str(&f->error);
        refusal.body_size = f->error.len;
        fetch_refused(f, &refusal);
        return;
    }
    if (size == 0 && !f->disk_failed) {
        fetch_fail(f, MEDIA_LATER, "EMPTY", "the platform's answer holds no bytes");
        return;
    }
    enum err rc = blob_sink_end(f->sink, hex);
    f->sink = NULL;
    if (rc != ERR_OK) {
        fetch_fail(f, MEDIA_LATER, "DISK", "the file could not be written");
        return;
    }
    struct media_result result = {.outcome = MEDIA_HERE,
                                  .sha256 = hex,
                                  .size = size,
                                  .type = f->type,
                                  .named = f->named,
                                  .code = "",
                                  .detail = ""};
    fetch_end(f, &result);
}

/* The scheme and host (with port) of a URL: its length; 0 if it has none. */
static size_t origin_size(const char *url)
{
    const char *host = strstr(url, "://");
    size_t len = host != NULL ? strcspn(host + 3, "/?#") : 0;

    return len > 0 && memchr(host + 3, '@', len) == NULL ? (size_t)(host + 3 - url) + len : 0;
}

/* True if the token may go to this address: Meta's own hosts, or the channel's own graph_url. */
static bool is_ours(const json_t *channel, const char *url)
{
    static const char *const hosts[] = {".fbsbx.com", ".fbcdn.net", ".whatsapp.net", ".facebook.com"};
    const char *own = jx_str(channel, "graph_url");
    size_t size = origin_size(url);

    if (size == 0) {
        return false;
    }
    if (own != NULL && origin_size(own) == size && memcmp(own, url, size) == 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        size_t len = strlen(hosts[i]);
        if (strncmp(url, "https://", 8) == 0 && size > 8 + len &&
            memcmp(url + size - len, hosts[i], len) == 0) {
            return true;
        }
    }
    return false;
}

static void resolved(const struct httpc_answer *answer, void *arg)
{
    struct fetching *f = arg;
    json_t *body = NULL;

    if (!is_fine(answer) || jx_parse_lenient(answer->body, answer->body_size, &body) != ERR_OK) {
        fetch_refused(f, answer);
        return;
    }
    const char *url = jx_str_or(body, "url", "");
    f->type = xstrdup(jx_str_or(body, "mime_type", ""));
    f->named = xstrdup(jx_str_or(body, "sha256", ""));
    if (!is_ours(f->call.channel, url)) {
        fetch_fail(f, MEDIA_GONE, "HOST", "the address of the file is none of the platform's");
    } else {
        struct httpc_request request = {.method = "GET",
                                        .url = url,
                                        .total_ms = DOWNLOAD_MS,
                                        .max_answer = (size_t)option_int(OPT_MEDIA_MAX),
                                        .on_data = download_data};
        f->sink = blob_sink_new();
        if (!whatsapp_request(&f->call, &request, NULL, downloaded, f)) {
            fetch_fail(f, MEDIA_LATER, "CREDENTIALS", "the channel's access token cannot be opened");
        }
    }
    json_decref(body);
}

void whatsapp_fetch(const struct send_call *call, const char *media_id, media_done_fn done, void *arg)
{
    struct fetching *f = xcalloc(1, sizeof *f);
    size_t len = strspn(media_id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-.");

    *f = (struct fetching){.call = *call, .done = done, .arg = arg};
    buf_init(&f->error, ERROR_MAX + 1);
    if (len == 0 || media_id[len] != '\0') {
        fetch_fail(f, MEDIA_GONE, "MEDIA_ID", "the platform's id of the file is none");
        return;
    }
    char *path =
        xasprintf("%s?phone_number_id=%s", media_id, jx_str_or(call->channel, "phone_number_id", ""));
    char *url = whatsapp_url(call->channel, path);
    if (!whatsapp_call(call, "GET", url, NULL, NULL, resolved, f)) {
        fetch_fail(f, MEDIA_LATER, "CREDENTIALS", "the channel's access token cannot be opened");
    }
    free(url);
    free(path);
}

/* ---- out ---- */

/* An upload under way. */
struct uploading {
    struct send_call call;
    whatsapp_uploaded_fn done;
    void *arg;
    json_t *file;
    uint64_t rev;
};

static void upload_end(struct uploading *u, const char *media_id, const struct send_result *failure)
{
    u->done(media_id, failure, u->arg);
    json_decref(u->file);
    free(u);
}

/* The id is kept with the file, for the next message. Losing this write costs one more upload. */
static void upload_keep(struct uploading *u, const char *media_id)
{
    struct changes *cs = changes_new();
    json_t *upload = json_object();

    jx_set_str(upload, "id", media_id);
    jx_set_int(upload, "at", clock_wall_ms());
    if (jx_obj(u->file, "uploads") == NULL) {
        jx_set(u->file, "uploads", json_object());
    }
    jx_set(jx_obj(u->file, "uploads"), jx_str_or(u->call.channel, "id", "-"), upload);
    changes_expect(cs, KIND_FILE, u->call.part, jx_str(u->file, "id"), u->rev);
    changes_put(cs, KIND_FILE, u->call.part, jx_str(u->file, "id"), u->file);
    store_submit(u->call.store, cs, NULL, NULL);
}

static void uploaded(const struct httpc_answer *answer, void *arg)
{
    struct uploading *u = arg;
    json_t *body = NULL;
    struct send_result failure = {
        .outcome = SEND_LATER, .code = "UPLOAD", .title = "the file was not taken", .detail = ""};

    if (jx_parse_lenient(answer->body, answer->body_size, &body) != ERR_OK) {
        body = NULL;
    }
    const char *media_id = is_fine(answer) ? jx_str(body, "id") : NULL;
    if (media_id != NULL) {
        upload_keep(u, media_id);
    } else if (answer->outcome == HTTPC_ANSWERED && !is_fine(answer)) {
        failure = whatsapp_judge(answer->status, body,
                                 (unsigned)jx_int(jx_obj(u->call.message, "attempt"), "count", 1));
    }
    upload_end(u, media_id, &failure);
    json_decref(body);
}

/* The multipart body of one file. */
static void multipart_add(struct buf *out, const char *boundary, const json_t *file, const struct buf *bytes)
{
    const char *type = jx_str_or(file, "mime_type", "application/octet-stream");

    buf_addf(out, "--%s\r\nContent-Disposition: form-data; name=\"messaging_product\"\r\n\r\nwhatsapp\r\n",
             boundary);
    buf_addf(out, "--%s\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\n%s\r\n", boundary, type);
    buf_addf(
        out,
        "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"%s\"\r\nContent-Type: %s\r\n\r\n",
        boundary, jx_str_or(file, "name", "file"), type);
    buf_add(out, bytes->data, bytes->len);
    buf_addf(out, "\r\n--%s--\r\n", boundary);
}

/* Starts the upload of the bytes. */
static void upload_start(struct uploading *u, const struct buf *bytes)
{
    static const struct send_result closed = {.outcome = SEND_CHANNEL,
                                              .code = "CREDENTIALS",
                                              .title = "the access token cannot be opened",
                                              .detail = ""};
    char boundary[40];
    struct buf body;
    char *url = whatsapp_number_url(u->call.channel, "media");

    snprintf(boundary, sizeof boundary, "chasqui%016llx", (unsigned long long)random_below(UINT64_MAX));
    char *type = xasprintf("multipart/form-data; boundary=%s", boundary);
    buf_init(&body, FILE_MAX + 4096);
    multipart_add(&body, boundary, u->file, bytes);
    struct httpc_request request = {
        .method = "POST", .url = url, .body = body.data, .body_size = body.len, .total_ms = DOWNLOAD_MS};
    if (!whatsapp_request(&u->call, &request, type, uploaded, u)) {
        upload_end(u, NULL, &closed);
    }
    buf_fini(&body);
    free(type);
    free(url);
}

/* The id of an earlier upload to this channel that still lives; NULL if there is none. */
static const char *upload_known(const json_t *file, const json_t *channel)
{
    const json_t *upload = jx_obj(jx_obj(file, "uploads"), jx_str_or(channel, "id", "-"));
    bool lives = clock_wall_ms() - jx_int(upload, "at", 0) < UPLOAD_LIFE_MS;

    return upload != NULL && lives ? jx_str(upload, "id") : NULL;
}

void whatsapp_upload(const struct send_call *call, const char *file_id, whatsapp_uploaded_fn done, void *arg)
{
    static const struct send_result gone = {
        .outcome = SEND_REFUSED, .code = "FILE_GONE", .title = "the file is not there", .detail = ""};
    struct uploading *u = xcalloc(1, sizeof *u);
    struct snapshot *snap = NULL;
    struct buf bytes;

    *u = (struct uploading){.call = *call, .done = done, .arg = arg};
    buf_init(&bytes, FILE_MAX);
    enum err rc = snapshot_open(call->store, &snap);
    if (rc == ERR_OK) {
        rc = snapshot_get(snap, KIND_FILE, call->part, file_id, &u->file, &u->rev);
        snapshot_close(snap);
    }
    const char *known = rc == ERR_OK ? upload_known(u->file, call->channel) : NULL;
    if (rc == ERR_OK && known == NULL) {
        rc = blob_get(jx_str_or(u->file, "sha256", ""), &bytes);
    }
    if (known != NULL) {
        upload_end(u, known, NULL);
    } else if (rc == ERR_OK) {
        upload_start(u, &bytes);
    } else {
        upload_end(u, NULL, &gone);
    }
    buf_fini(&bytes);
}
