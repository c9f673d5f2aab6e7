/* talk_files.c: files that a caller attaches to what a customer says: URLs that the files endpoint gave.
 *
 * A URL or id of a file of the same partition becomes part of the message, and the turn reads it as it reads
 * a platform's media. Any other URL is kept as it was said and never fetched. */
#include <stdlib.h>
#include <string.h>

#include "agent/reading/reading.h"
#include "bridge/api/talk.h"
#include "queue/base/clock.h"
#include "queue/jobs.h"

#define FILES_MOST 10

/* The file's id in a URL of ours: its last segment but a slash. Good until free. NULL: it holds none. */
static char *id_in(const char *said)
{
    char *text = xstrdup(said);
    size_t len = strcspn(text, "?#");
    text[len] = '\0';
    while (len > 0 && text[len - 1] == '/') {
        text[--len] = '\0';
    }
    const char *slash = strrchr(text, '/');
    char *id = xstrdup(slash != NULL ? slash + 1 : text);
    free(text);
    if (!id_is(id, kind_row(KIND_FILE)->prefix)) {
        free(id);
        return NULL;
    }
    return id;
}

/* The type of a message that brings such a file; NULL: its words or picture are not for the agent. */
static const char *type_of(const json_t *agent, const json_t *file)
{
    const char *mime = jx_str_or(file, "mime_type", "");
    const char *type = strncmp(mime, "image/", 6) == 0 ? "image" : "document";
    return reading_wanted(agent, type, mime) != READING_NONE ? type : NULL;
}

/* Adds one attached file to the list, if it is ours and there. */
static void take(struct snapshot *snap, const char *part, const json_t *agent, const char *said,
                 json_t *files, const char **type)
{
    json_t *file = NULL;
    char *id = id_in(said);
    if (id != NULL && snapshot_get(snap, KIND_FILE, part, id, &file, NULL) == ERR_OK &&
        strcmp(jx_str_or(file, "state", ""), "ready") == 0) {
        const char *own = type_of(agent, file);
        json_t *row = json_object();
        jx_set_str(row, "id", id);
        jx_set_str(row, "url", jx_str(file, "url"));
        jx_push(files, row);
        if (own != NULL && (strcmp(*type, "text") == 0 || strcmp(own, "document") == 0)) {
            *type = own;
        }
    }
    json_decref(file);
    free(id);
}

json_t *talk_files_take(struct snapshot *snap, const char *part, const json_t *agent, const json_t *attached,
                        const char **type)
{
    size_t i;
    json_t *item;
    if (attached == NULL || json_is_null(attached)) {
        return NULL;
    }
    json_t *content = json_object(), *files = json_array();
    jx_set(content, "attached_files", json_incref((json_t *)attached));
    if (json_is_string(attached)) {
        take(snap, part, agent, json_string_value(attached), files, type);
    }
    json_array_foreach (attached, i, item) {
        if (json_is_string(item) && i < FILES_MOST) {
            take(snap, part, agent, json_string_value(item), files, type);
        }
    }
    if (json_array_size(files) > 0) {
        jx_set(content, "file", json_incref(json_array_get(files, 0)));
    }
    jx_set(content, "files", files);
    return content;
}

/* One file belongs to this message now. */
static void link_file(struct changes *cs, struct snapshot *snap, const char *part, const char *id,
                      const struct message_received *ids)
{
    uint64_t rev;
    json_t *file = NULL;
    if (snapshot_get(snap, KIND_FILE, part, id, &file, &rev) != ERR_OK) {
        return;
    }
    json_t *payload = json_object();
    const char *mime = jx_str_or(file, "mime_type", "");
    bool words =
        strncmp(mime, "image/", 6) != 0 && strncmp(mime, "video/", 6) != 0 && jx_str(file, "words") == NULL;
    jx_set_str(file, "conversation_id", ids->conversation_id.text);
    jx_set_str(file, "message_id", ids->message_id.text);
    jx_set_time(file, "updated_at", clock_wall_ms());
    if (words) {
        jx_set(file, "reading", json_pack("{s:s}", "state", "waiting"));
        jx_set_str(payload, "file_id", id);
        changes_push(cs, QUEUE_READING, part, id, 0, payload);
    }
    changes_expect(cs, KIND_FILE, part, id, rev);
    changes_put(cs, KIND_FILE, part, id, file);
    json_decref(payload);
    json_decref(file);
}

void talk_files_link(struct changes *cs, struct snapshot *snap, const char *part, const json_t *content,
                     const struct message_received *ids)
{
    size_t i, k;
    json_t *row;
    const json_t *files = jx_arr(content, "files");
    json_array_foreach (files, i, row) {
        const char *id = jx_str_or(row, "id", "");
        bool seen = false;
        for (k = 0; k < i; k++) {
            seen = seen || strcmp(jx_str_or(json_array_get(files, k), "id", ""), id) == 0;
        }
        if (!seen) {
            link_file(cs, snap, part, id, ids);
        }
    }
}
