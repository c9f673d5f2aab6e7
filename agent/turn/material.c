/* material.c: the files of the burst: pictures for a model that sees, texts of documents, transcripts.
 *
 * A turn whose answer depends on a file that is still under way waits for it by putting its job back, which
 * writes nothing: the job stays in the queue, so the turn is never lost, and what it waits for is in the
 * file's record, so a restart changes nothing either. It waits OPT_FILE_TIME from the customer's last
 * message, or from the start of the process when that was later; then the file counts as lost and a person
 * gets the conversation. What was waited for is taken off the time of the model, so that a customer has an
 * answer within a minute. Transcripts need nothing here once they are there: they are the message's text. */
#include <stdatomic.h>
#include <string.h>

#include "agent/turn/turn.h"

#include "agent/reading/reading.h"
#include "queue/base/blob.h"
#include "queue/base/clock.h"
#include "queue/base/codec.h"
#include "queue/base/option.h"

#define WAIT_LEAST_MS 100
#define WAIT_STEP_MS  1000
#define NAME_SHOWN    200

/* When this process first looked; waits count from there after an outage. */
static int64_t process_ms(void)
{
    static _Atomic int64_t first;
    int64_t none = 0;

    atomic_compare_exchange_strong(&first, &none, clock_wall_ms());
    return first;
}

static const char *state_of(const json_t *obj)
{
    return jx_str_or(obj, "state", "");
}

/* A reason that lives as long as the run. */
static void lose(struct turn *turn, const json_t *holder)
{
    turn->material->lost = arena_strdup(turn->arena, jx_str_or(holder, "code", "UNREADABLE"));
}

/* A picture for the model, if its bytes are one that models take. */
static void take_picture(struct turn *turn, const json_t *file)
{
    static const char *const types[] = {"image/jpeg", "image/png", "image/webp", "image/gif"};
    struct turn_material *m = turn->material;
    const char *type = jx_str_or(file, "mime_type", "");
    const char *known = NULL;

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        known = strcmp(types[i], type) == 0 ? types[i] : known;
    }
    if (known == NULL || jx_int(file, "size", 0) > option_int(OPT_VISION_MAX)) {
        m->lost = known == NULL ? "TYPE" : "TOO_LARGE";
    } else if (m->image_count < MODEL_IMAGES) {
        m->images[m->image_count++] =
            (struct model_image){known, arena_strdup(turn->arena, jx_str_or(file, "sha256", ""))};
    }
}

/* The text of a document. */
static void take_paper(struct turn *turn, const json_t *file)
{
    struct turn_material *m = turn->material;
    const char *name = jx_str_or(file, "name", "document");
    const char *words = jx_str(file, "words");

    if (words != NULL && m->paper_count < MODEL_PAPERS) {
        m->papers[m->paper_count++] = (struct model_paper){
            arena_strndup(turn->arena, name, utf8_prefix(name, strlen(name), NAME_SHOWN)),
            arena_strdup(turn->arena, words)};
    }
}

/* A file that is there: what was made of it, or its bytes. */
static void take_ready(struct turn *turn, const json_t *file, enum reading_kind kind)
{
    const json_t *reading = jx_obj(file, "reading");
    const char *state = state_of(reading);

    if (kind == READING_PICTURE) {
        take_picture(turn, file);
    } else if (strcmp(state, "waiting") == 0) {
        turn->material->pending = true;
    } else if (strcmp(state, "failed") == 0) {
        lose(turn, reading);
    } else if (kind == READING_DOCUMENT) {
        take_paper(turn, file);
    }
}

/* One file that came with a message of the burst; pictures are such whatever else came along. */
static enum err take_file(struct turn *turn, struct snapshot *snap, const json_t *message, const char *id)
{
    json_t *file = NULL;

    if (id == NULL) {
        return ERR_OK;
    }
    enum err rc = snapshot_get(snap, KIND_FILE, turn->part, id, &file, NULL);
    if (rc != ERR_OK) {
        return rc == ERR_NOTFOUND ? ERR_OK : rc;
    }
    const char *type = jx_str_or(message, "type", ""), *mime = jx_str_or(file, "mime_type", "");
    bool picture = strcmp(type, "document") == 0 && strncmp(mime, "image/", 6) == 0;
    enum reading_kind kind = reading_wanted(turn->agent, picture ? "image" : type, mime);
    turn->material->wanted = turn->material->wanted || kind != READING_NONE;
    if (kind != READING_NONE && strcmp(state_of(file), "waiting") == 0) {
        turn->material->pending = true;
    } else if (kind != READING_NONE && strcmp(state_of(file), "failed") == 0) {
        lose(turn, jx_obj(file, "error"));
    } else if (kind != READING_NONE) {
        take_ready(turn, file, kind);
    }
    json_decref(file);
    return ERR_OK;
}

/* One message of the burst and the files that came with it, if any did. */
static enum err take_message(struct turn *turn, struct snapshot *snap, const json_t *message)
{
    const json_t *content = jx_obj(message, "content"), *files = jx_arr(content, "files");
    enum err rc = ERR_OK;

    if (json_array_size(files) == 0) {
        return take_file(turn, snap, message, jx_str(jx_obj(content, "file"), "id"));
    }
    for (size_t i = 0; i < json_array_size(files) && rc == ERR_OK; i++) {
        rc = take_file(turn, snap, message, jx_str(json_array_get(files, i), "id"));
    }
    return rc;
}

enum err turn_material_read(struct turn *turn, struct snapshot *snap)
{
    size_t i;
    json_t *message;
    enum err rc = ERR_OK;

    turn->material = arena_alloc(turn->arena, sizeof *turn->material);
    memset(turn->material, 0, sizeof *turn->material);
    json_array_foreach (turn->burst, i, message) {
        rc = rc == ERR_OK ? take_message(turn, snap, message) : rc;
    }
    return rc;
}

int64_t turn_material_wait(struct turn *turn)
{
    struct turn_material *m = turn->material;
    int64_t now = clock_wall_ms();
    int64_t since = id_time_ms(turn->newest_id);
    int64_t most = option_int(OPT_FILE_TIME);

    if (!m->wanted) {
        return 0;
    }
    since = since > process_ms() ? since : process_ms();
    int64_t age = now > since ? now - since : 0;
    if (m->pending && age < most && m->lost == NULL) {
        int64_t wait = age / 4 > WAIT_LEAST_MS ? age / 4 : WAIT_LEAST_MS;
        return wait < WAIT_STEP_MS ? wait : WAIT_STEP_MS;
    }
    if (m->pending && m->lost == NULL) {
        m->lost = "TOO_SLOW";
    }
    int64_t begun = clock_mono_ms() - (age < most ? age : most);
    turn->begun_mono_ms = begun < turn->begun_mono_ms ? begun : turn->begun_mono_ms;
    return 0;
}

bool turn_has_material(const struct turn *turn)
{
    return turn->material->image_count > 0 || turn->material->paper_count > 0;
}
