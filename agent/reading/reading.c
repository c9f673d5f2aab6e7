/* reading.c: QUEUE_READING: words of one media file.
 *
 * States of a file's "reading": waiting, then done, none (nobody wants words of it) or failed, each written
 * in the change-set that ends the job, together with the message's new text. Whoever waits for the words
 * therefore sees either "waiting" or the end of it, whatever crashes in between. A failure that may pass is
 * tried again by the queue; the last try ends as failed with its reason. */
#include <stdlib.h>
#include <string.h>

#include "agent/reading/reading.h"

#include "agent/model/model.h"
#include "agent/profile/profile.h"
#include "agent/reading/transcribe.h"
#include "channels/conversation.h"
#include "channels/message.h"
#include "kb/source/extract.h"
#include "queue/base/blob.h"
#include "queue/base/clock.h"
#include "queue/base/codec.h"
#include "queue/base/log.h"

#define ATTEMPT_MS     30000
#define TRANSCRIPT_MAX 16000
#define EXTRACT_MS     20000
#define EXTRACT_PAGES  200

/* A file being read. */
struct reading {
    struct job *job;
    json_t *file, *message, *agent; /* NULL: there is none */
    uint64_t file_rev, message_rev;
    enum reading_kind kind;
    const char *state; /* how it ended */
    char *words;       /* state done */
    char *code, *detail;
    uint64_t extraction; /* its number, 0: none */
};

/* ---- what is wanted ---- */

/* Types of documents whose text can be had. */
static bool is_document(const char *mime_type)
{
    static const char *const types[] = {
        "text/plain", "text/markdown", "text/csv", "application/pdf",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document"};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strncmp(types[i], mime_type, strlen(types[i])) == 0) {
            return true;
        }
    }
    return false;
}

enum reading_kind reading_wanted(const json_t *agent, const char *message_type, const char *mime_type)
{
    const json_t *model = jx_obj(agent, "model");
    bool reads = agent != NULL && !model_is_local(jx_str_or(model, "provider", "extractive"));

    if (strcmp(message_type, "audio") == 0) {
        return jx_obj(model, "transcription") != NULL ? READING_VOICE : READING_NONE;
    }
    if (strcmp(message_type, "image") == 0) {
        return reads && jx_bool(model, "vision", false) ? READING_PICTURE : READING_NONE;
    }
    if (strcmp(message_type, "document") == 0 && reads) {
        return is_document(mime_type) ? READING_DOCUMENT : READING_NONE;
    }
    return READING_NONE;
}

/* ---- records ---- */

static void records_drop(struct reading *r)
{
    json_decref(r->file);
    json_decref(r->message);
    json_decref(r->agent);
    r->file = r->message = r->agent = NULL;
}

static void reading_free(struct reading *r)
{
    records_drop(r);
    free(r->words);
    free(r->code);
    free(r->detail);
    free(r);
}

/* The agent that has the conversation now. */
static enum err agent_read(struct reading *r, struct snapshot *snap)
{
    const char *part = job_partition(r->job);
    json_t *conversation = NULL;
    enum err rc =
        conversation_get(snap, part, jx_str_or(r->file, "conversation_id", "-"), &conversation, NULL);

    if (rc == ERR_OK) {
        rc = agent_get(snap, part, jx_str_or(conversation, "agent_id", "-"), &r->agent, NULL);
    }
    json_decref(conversation);
    return rc;
}

/* Reads file, message and agent. ERR_NOTFOUND: the file is gone. */
static enum err records_read(struct reading *r)
{
    struct snapshot *snap = NULL;
    const char *part = job_partition(r->job);
    enum err rc = snapshot_open(job_store(r->job), &snap);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = snapshot_get(snap, KIND_FILE, part, jx_str_or(job_payload(r->job), "file_id", "-"), &r->file,
                      &r->file_rev);
    if (rc == ERR_OK) {
        rc = snapshot_get(snap, KIND_MESSAGE, part, jx_str_or(r->file, "message_id", "-"), &r->message,
                          &r->message_rev);
        rc = rc == ERR_OK ? agent_read(r, snap) : rc;
        rc = rc == ERR_NOTFOUND ? ERR_OK : rc; /* nobody who wants words */
    }
    snapshot_close(snap);
    return rc;
}

static bool is_waiting(const struct reading *r)
{
    return strcmp(jx_str_or(jx_obj(r->file, "reading"), "state", ""), "waiting") == 0;
}

/* ---- the end ---- */

static void settle(struct reading *r);

/* The end was taken, or somebody wrote one of the records meanwhile and it is built again. */
static void settled(enum err rc, uint64_t rev, void *arg)
{
    struct reading *r = arg;

    (void)rev;
    if (rc != ERR_CONFLICT && rc != ERR_SEEN) {
        reading_free(r);
        return;
    }
    records_drop(r);
    rc = records_read(r);
    if (rc == ERR_OK && is_waiting(r)) {
        settle(r);
        return;
    }
    struct changes *cs = changes_new();
    if (rc == ERR_OK || rc == ERR_NOTFOUND) {
        changes_ack(cs, r->job);
    } else {
        changes_fail(cs, r->job, err_name(rc));
    }
    struct job *job = r->job;
    reading_free(r);
    job_finish(job, cs, NULL, NULL);
}

/* The transcript is the message's text from now on. */
static void message_fill(struct reading *r, struct changes *cs, struct snapshot *snap)
{
    const json_t *own = jx_obj(jx_obj(r->agent, "model"), "transcription");
    const char *part = job_partition(r->job);
    const char *id = jx_str_or(r->message, "id", "");
    json_t *content = jx_obj(r->message, "content");

    jx_set_str(r->message, "text", r->words);
    if (content != NULL) {
        jx_set(content, "transcript", json_pack("{s:s}", "model", jx_str_or(own, "name", "")));
    }
    changes_expect(cs, KIND_MESSAGE, part, id, r->message_rev);
    changes_put(cs, KIND_MESSAGE, part, id, r->message);
    message_event(cs, snap, part, "message.transcribed", r->message, NULL);
}

/* What became of it, in the file's record. */
static void file_settle(struct reading *r)
{
    json_t *state = json_pack("{s:s}", "state", r->state);

    if (r->code != NULL) {
        jx_set_str(state, "code", r->code);
        jx_set_str(state, "detail", r->detail);
    }
    jx_set(r->file, "reading", state);
    jx_set_time(r->file, "updated_at", clock_wall_ms());
}

/* Writes what became of it and ends the job. */
static void settle(struct reading *r)
{
    struct changes *cs = changes_new();
    struct snapshot *snap = NULL;
    const char *part = job_partition(r->job);
    const char *id = jx_str_or(r->file, "id", "");
    enum err rc = snapshot_open(job_store(r->job), &snap);

    if (rc != ERR_OK) {
        changes_fail(cs, r->job, err_name(rc));
        job_finish(r->job, cs, settled, r);
        return;
    }
    file_settle(r);
    if (r->words != NULL && r->kind == READING_VOICE && r->message != NULL) {
        message_fill(r, cs, snap);
    } else if (r->words != NULL && r->kind == READING_DOCUMENT) {
        jx_set_str(r->file, "words", r->words);
    }
    snapshot_close(snap);
    changes_expect(cs, KIND_FILE, part, id, r->file_rev);
    changes_put(cs, KIND_FILE, part, id, r->file);
    changes_ack(cs, r->job);
    log_info("reading.settled", "file=%s state=%s code=%s", id, r->state, r->code != NULL ? r->code : "");
    job_finish(r->job, cs, settled, r);
}

static void settle_failed(struct reading *r, const char *code, const char *detail)
{
    r->state = "failed";
    r->code = xstrdup(code);
    r->detail = xstrdup(detail);
    settle(r);
}

/* The words, cut to what is kept. */
static void settle_words(struct reading *r, const char *words, size_t most)
{
    size_t len = strlen(words);

    r->state = "done";
    r->words = xstrndup(words, utf8_prefix(words, len, most));
    settle(r);
}

/* An attempt failed in a way that may pass. */
static void try_later(struct reading *r, const char *code, const char *detail)
{
    struct changes *cs;
    struct job *job = r->job;

    if (job_tries(job) + 1 >= queue_row(QUEUE_READING)->tries) {
        settle_failed(r, code, detail);
        return;
    }
    cs = changes_new();
    changes_fail(cs, job, code);
    reading_free(r);
    job_finish(job, cs, NULL, NULL);
}

/* ---- voice ---- */

static void transcribed(const struct transcribe_result *result, void *arg)
{
    struct reading *r = arg;

    switch (result->outcome) {
    case TRANSCRIBE_DONE:
        settle_words(r, result->text + strspn(result->text, " \t\r\n"), TRANSCRIPT_MAX);
        break;
    case TRANSCRIBE_LATER:
        try_later(r, result->code, result->detail);
        break;
    case TRANSCRIBE_REFUSED:
        settle_failed(r, result->code, result->detail);
        break;
    }
}

static void read_voice(struct reading *r)
{
    const char *type = jx_str_or(r->file, "mime_type", "");
    struct transcribe_call call = {.part = job_partition(r->job),
                                   .agent = r->agent,
                                   .sha256 = jx_str_or(r->file, "sha256", ""),
                                   .mime_type = type,
                                   .total_ms = ATTEMPT_MS};

    if (strncmp(type, "audio/", 6) != 0 && strncmp(type, "video/mp4", 9) != 0) {
        settle_failed(r, "TYPE", "the bytes are none of a voice message");
        return;
    }
    transcribe_start(job_http(r->job), &call, transcribed, r);
}

/* ---- documents ---- */

/* The sections one after the other, each page of a PDF under its number, until enough is there. */
static void sections_join(const struct extract_result *result, struct buf *out)
{
    for (size_t i = 0; i < result->count && out->len < READING_WORDS_MAX; i++) {
        const struct extract_section *section = &result->sections[i];
        buf_adds(out, i > 0 ? "\n\n" : "");
        if (section->page > 0) {
            buf_addf(out, "[page %u]\n", section->page);
        }
        buf_adds(out, section->text);
    }
}

static void extracted(const struct extract_result *result, void *arg)
{
    struct reading *r = arg;
    struct buf words;

    job_on_cut(r->job, NULL, NULL);
    r->extraction = 0;
    if (!result->ok) {
        settle_failed(r, "NO_TEXT", result->reason);
        return;
    }
    buf_init(&words, (size_t)64 << 20);
    sections_join(result, &words);
    settle_words(r, buf_str(&words), READING_WORDS_MAX);
    buf_fini(&words);
}

/* The workers stopped while the child was reading; the job is handed out again after the next start. */
static void reading_cut(void *arg)
{
    struct reading *r = arg;

    extract_cancel(r->extraction);
    reading_free(r);
}

/* Has the text taken out by a caged child (extract.h). Tables and Markdown are read as they stand. */
static void read_document(struct reading *r)
{
    static const struct extract_limits limits = {.wall_ms = EXTRACT_MS, .pages = EXTRACT_PAGES};
    char *path = blob_path(jx_str_or(r->file, "sha256", ""));
    bool plain = strncmp(jx_str_or(r->file, "mime_type", ""), "text/", 5) == 0;
    struct extract_request request = {.path = path != NULL ? path : "",
                                      .mime_type = plain ? "text/plain" : jx_str(r->file, "mime_type"),
                                      .filename = plain ? NULL : jx_str(r->file, "name"),
                                      .limits = &limits};

    job_on_cut(r->job, reading_cut, r);
    r->extraction = extract_start(job_loop(r->job), &request, extracted, r);
    free(path);
}

/* ---- the job ---- */

/* Ends a job that has nothing to do, or that could not read its records. */
static void reading_pass(struct reading *r, enum err rc)
{
    struct changes *cs = changes_new();
    struct job *job = r->job;

    if (rc == ERR_OK || rc == ERR_NOTFOUND) {
        changes_ack(cs, job);
    } else {
        changes_fail(cs, job, err_name(rc));
    }
    reading_free(r);
    job_finish(job, cs, NULL, NULL);
}

void reading_run(struct job *job, void *arg)
{
    struct reading *r = xcalloc(1, sizeof *r);

    (void)arg;
    r->job = job;
    enum err rc = records_read(r);
    if (rc != ERR_OK || !is_waiting(r)) {
        reading_pass(r, rc);
        return;
    }
    r->kind =
        reading_wanted(r->agent, jx_str_or(r->message, "type", ""), jx_str_or(r->file, "mime_type", ""));
    if (r->kind == READING_VOICE) {
        read_voice(r);
    } else if (r->kind == READING_DOCUMENT) {
        read_document(r);
    } else {
        r->state = "none";
        settle(r);
    }
}
