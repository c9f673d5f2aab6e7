/* files.c: media files over REST: what is known of one, and uploads; download.c sends their bytes. */
#include <stdlib.h>
#include <string.h>

#include "bridge/api/call.h"
#include "bridge/http/multipart.h"
#include "bridge/http/upload.h"
#include "channels/file.h"

void files_info(struct call *c)
{
    json_t *file = call_find(c, KIND_FILE, call_param(c, "file"), NULL);
    if (file != NULL) {
        call_reply(c, 200, file_public(file));
    }
}

/* ---- upload: the bytes are on the disk already, here they get their place and their record ---- */

/* True for a part that is a file to keep. */
static bool is_file(const struct http_part *part)
{
    return part->path != NULL && part->size > 0;
}

/* The name of a file: of the form, or of the query for a body that is the file. */
static const char *name_of(struct call *c, const struct http_part *part)
{
    struct buf clean;
    const char *said = part->name[0] == '\0' ? call_query(c, "name") : NULL;
    if (said == NULL) {
        return part->filename;
    }
    buf_init(&clean, strlen(said) + 16);
    words_filename(said, &clean);
    const char *name = arena_strdup(c->arena, buf_str(&clean));
    buf_fini(&clean);
    return name;
}

/* Only files under the name "file" are taken: a misspelt field must not vanish. False: the call has ended. */
static bool parts_check(struct call *c, const struct http_part *parts, unsigned count)
{
    unsigned files = 0;
    for (unsigned i = 0; i < count; i++) {
        if (parts[i].name[0] != '\0' && (strcmp(parts[i].name, "file") != 0 || parts[i].path == NULL)) {
            call_fail(c, API_UNKNOWN_FIELD, parts[i].name, "%s is not a field that takes a file.",
                      parts[i].name);
            return false;
        }
        files += is_file(&parts[i]);
    }
    if (files == 0) {
        call_fail(c, API_BAD_FIELD, "file", "file: the body holds no file.");
    }
    return files > 0;
}

/* What the caller is told of a new file; callers of a channel know no more than the URL: theirs is whole. */
static json_t *told(struct call *c, const json_t *file)
{
    json_t *out = file_public(file);

    if (c->surface->bit == ON_VIVI) {
        jx_set_str(out, "url",
                   arena_printf(c->arena, "%s%s", c->api->app->public_url, jx_str_or(out, "url", "")));
    }
    return out;
}

void files_upload(struct call *c)
{
    unsigned count;
    const struct http_part *parts = http_parts(c->req, &count);
    if (!parts_check(c, parts, count)) {
        return;
    }
    json_t *answer = json_object(), *files = json_array();
    jx_set(answer, "files", files);
    call_keep(c, answer);
    for (unsigned i = 0; i < count; i++) {
        json_t *file = NULL;
        if (!is_file(&parts[i])) {
            continue;
        }
        struct file_source source = {name_of(c, &parts[i]), parts[i].mime_type, parts[i].path,
                                     parts[i].sha256, (size_t)parts[i].size};
        enum err rc = file_adopt(call_changes(c), c->part, &source, &file);
        if (rc != ERR_OK) {
            call_refuse(c, rc, "file", "");
            return;
        }
        jx_push(files, told(c, file));
        json_decref(file);
    }
    jx_set_str(answer, "url", jx_str(json_array_get(files, 0), "url"));
    call_commit(c, 201, json_incref(answer));
}
