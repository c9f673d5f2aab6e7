/* option.c: the option table with its layers, and the getters.
 *
 * Each source (default, file, environment, flag) owns a layer of texts; the highest layer that says
 * something about a row wins. A layer is filled aside and taken over whole, so a refused file or environment
 * changes nothing. What a row is worth at the moment is an immutable struct behind an atomic pointer: getters
 * on any thread take no lock, and since a struct once published is never freed, a text stays valid for the
 * process's life. Old ones hang on a list; reloads are rare and small. Loading is for one thread at a time.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "queue/base/option.h"

#include "queue/base/edit_distance.h"
#include "queue/base/option_int.h"

#define PREFIX  "CHASQUI_"
#define CORE    "core." /* section that variables leave out: CHASQUI_DATA, not CHASQUI_CORE_DATA */
#define SOURCES (OPTION_FLAG + 1)

static const struct option_row rows[OPTION_COUNT] = {
#define X(symbol, name, flag, type, fallback, min, max, reload, secret, help) \
    [symbol] = {name, flag, type, fallback, min, max, reload, secret, help},
#include "queue/base/tbl_options.h"
#undef X
};

/* What a row is worth. */
struct value {
    struct value *older;
    enum option_source source;
    int64_t number;
    char text[];
};

static struct option_layer layers[SOURCES];
static _Atomic(struct value *) current[OPTION_COUNT];
static struct value *published;                                 /* all of them, newest first */
static pthread_mutex_t settle_lock = PTHREAD_MUTEX_INITIALIZER; /* first getters of several threads */

const struct option_row *option_row(enum option_id id)
{
    CHECK((unsigned)id < OPTION_COUNT);
    return &rows[id];
}

void option_layer_fini(struct option_layer *layer)
{
    for (int id = 0; id < OPTION_COUNT; id++) {
        free(layer->text[id]);
        layer->text[id] = NULL;
    }
}

/* ---- names ---- */

void option_spell(enum option_id id, enum option_form form, char out[OPTION_NAME_MAX])
{
    struct buf b;

    buf_init(&b, OPTION_NAME_MAX - 1);
    if (form == OPTION_FORM_VARIABLE) {
        buf_adds(&b, PREFIX);
    }
    bool core = form == OPTION_FORM_VARIABLE && strncmp(rows[id].name, CORE, strlen(CORE)) == 0;
    buf_adds(&b, form == OPTION_FORM_FLAG ? rows[id].flag : rows[id].name + (core ? strlen(CORE) : 0));
    CHECK(buf_ok(&b));
    for (size_t i = 0; form == OPTION_FORM_VARIABLE && i < b.len; i++) {
        char c = b.data[i];
        b.data[i] = c == '.' ? '_' : c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    memcpy(out, b.data, b.len + 1);
    buf_fini(&b);
}

bool option_find(const char *name, enum option_form form, enum option_id *id)
{
    char known[OPTION_NAME_MAX];

    for (int i = 0; i < OPTION_COUNT; i++) {
        option_spell((enum option_id)i, form, known);
        if (strcmp(known, name) == 0) {
            *id = (enum option_id)i;
            return true;
        }
    }
    return false;
}

void option_nearest(const char *name, enum option_form form, char out[OPTION_NAME_MAX])
{
    char known[OPTION_NAME_MAX];
    size_t best = (size_t)-1;

    for (int i = 0; i < OPTION_COUNT; i++) {
        option_spell((enum option_id)i, form, known);
        size_t now = edit_distance(name, known);
        if (now < best) {
            best = now;
            memcpy(out, known, sizeof known);
        }
    }
}

/* ---- layers ---- */

/* The source that wins a row, and its text. */
static enum option_source winner(enum option_id id, const char **text)
{
    for (int source = OPTION_FLAG; source > OPTION_DEFAULT; source--) {
        if (layers[source].text[id] != NULL) {
            *text = layers[source].text[id];
            return (enum option_source)source;
        }
    }
    *text = rows[id].fallback;
    return OPTION_DEFAULT;
}

/* Publishes what the layers now say of a row, if that is news. Texts in layers were checked when they came
 * in, and so are the table's defaults by the test of the table. */
static void settle(enum option_id id)
{
    const char *text;

    pthread_mutex_lock(&settle_lock);
    enum option_source source = winner(id, &text);
    const struct value *old = atomic_load(&current[id]);
    if (old == NULL || old->source != source || strcmp(old->text, text) != 0) {
        struct value *v = xmalloc(sizeof *v + strlen(text) + 1);
        v->source = source;
        memcpy(v->text, text, strlen(text) + 1);
        CHECK(option_value_parse(&rows[id], text, &v->number, NULL) == ERR_OK);
        v->older = published;
        published = v;
        atomic_store(&current[id], v);
    }
    pthread_mutex_unlock(&settle_lock);
}

/* What a row is worth; before anything was loaded the first getter settles the defaults. */
static const struct value *value_of(enum option_id id)
{
    CHECK((unsigned)id < OPTION_COUNT);
    if (atomic_load(&current[id]) == NULL) {
        settle(id);
    }
    return atomic_load(&current[id]);
}

/* Settles every row: each has a value from the first load on. */
static void settle_all(void)
{
    for (int id = 0; id < OPTION_COUNT; id++) {
        settle((enum option_id)id);
    }
}

/* Moves the texts of a draft into a source's layer. */
static void layer_take(enum option_source source, struct option_layer *draft)
{
    option_layer_fini(&layers[source]);
    layers[source] = *draft;
    *draft = (struct option_layer){0};
    settle_all();
}

enum err option_load_file(const char *path, struct buf *why)
{
    struct option_layer draft = {0};
    enum err rc = option_file_read(path, &draft, why);

    if (rc == ERR_OK) {
        layer_take(OPTION_FILE, &draft);
    }
    option_layer_fini(&draft);
    return rc;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

enum err option_reload_file(const char *path, struct buf *restart, struct buf *why)
{
    struct option_layer draft = {0};
    enum err rc = option_file_read(path, &draft, why);

    for (int id = 0; rc == ERR_OK && id < OPTION_COUNT; id++) {
        char **old = &layers[OPTION_FILE].text[id];
        char **new = &draft.text[id];
        if (same_text(*old, *new)) {
            continue;
        }
        if (rows[id].reload) {
            char *text = *old;
            *old = *new;
            *new = text;
            settle((enum option_id)id);
        } else if (restart != NULL) {
            buf_addf(restart, "%s%s", restart->len > 0 ? " " : "", rows[id].name);
        }
    }
    option_layer_fini(&draft);
    return rc;
}

/* Variables that share our prefix but are not ours: an orchestrator that runs a service called "chasqui"
 * describes it to every process in this form. */
static bool is_foreign(const char *name)
{
    static const char *const prefixes[] = {PREFIX "SERVICE_", PREFIX "PORT_"};

    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) {
            return true;
        }
    }
    return strcmp(name, PREFIX "PORT") == 0;
}

/* Checks a text for a row and puts it into the slot; the sentence starts with where. */
static enum err put_text(enum option_id id, const char *where, const char *text, char **slot, struct buf *why)
{
    struct buf rest;
    int64_t number;

    buf_init(&rest, 64 * 1024);
    enum err rc = option_value_parse(&rows[id], text, &number, &rest);
    if (rc == ERR_OK) {
        free(*slot);
        *slot = xstrdup(text);
    } else if (why != NULL) {
        buf_addf(why, "%s %s", where, buf_str(&rest));
    }
    buf_fini(&rest);
    return rc;
}

/* Takes one variable, "CHASQUI_HTTP_LISTEN" and its text. */
static enum err take_variable(const char *name, const char *text, struct option_layer *draft, struct buf *why)
{
    char near[OPTION_NAME_MAX];
    enum option_id id;

    if (is_foreign(name)) {
        return ERR_OK;
    }
    if (option_find(name, OPTION_FORM_VARIABLE, &id)) {
        return put_text(id, name, text, &draft->text[id], why);
    }
    option_nearest(name, OPTION_FORM_VARIABLE, near);
    if (why != NULL) {
        buf_addf(why, "there is no variable %s; did you mean %s?", name, near);
    }
    return ERR_INVALID;
}

enum err option_load_environment(struct buf *why)
{
    struct option_layer draft = {0};
    enum err rc = ERR_OK;

    for (char **at = environ; rc == ERR_OK && at != NULL && *at != NULL; at++) {
        const char *equals = strchr(*at, '=');
        if (strncmp(*at, PREFIX, strlen(PREFIX)) != 0 || equals == NULL) {
            continue;
        }
        char *name = xstrndup(*at, (size_t)(equals - *at));
        rc = take_variable(name, equals + 1, &draft, why);
        free(name);
    }
    if (rc == ERR_OK) {
        layer_take(OPTION_ENVIRONMENT, &draft);
    }
    option_layer_fini(&draft);
    return rc;
}

enum err option_set_flag(const char *flag, const char *value, struct buf *why)
{
    char where[OPTION_NAME_MAX + 2] = "--";
    enum option_id id;

    if (!option_find(flag, OPTION_FORM_FLAG, &id)) {
        option_nearest(flag, OPTION_FORM_FLAG, where + 2);
        if (why != NULL) {
            buf_addf(why, "there is no flag --%s; did you mean %s?", flag, where);
        }
        return ERR_NOTFOUND;
    }
    option_spell(id, OPTION_FORM_FLAG, where + 2);
    if (value == NULL && rows[id].type != OPTION_BOOL) {
        if (why != NULL) {
            buf_addf(why, "%s needs a value", where);
        }
        return ERR_INVALID;
    }
    enum err rc = put_text(id, where, value != NULL ? value : "true", &layers[OPTION_FLAG].text[id], why);
    if (rc == ERR_OK) {
        settle(id);
    }
    return rc;
}

bool option_flag_takes_value(const char *flag, bool *known)
{
    enum option_id id;

    *known = option_find(flag, OPTION_FORM_FLAG, &id);
    return *known && rows[id].type != OPTION_BOOL;
}

/* ---- getters ---- */

const char *option_text(enum option_id id)
{
    return value_of(id)->text;
}

int64_t option_int(enum option_id id)
{
    return value_of(id)->number;
}

bool option_bool(enum option_id id)
{
    return value_of(id)->number != 0;
}

enum option_source option_source_of(enum option_id id)
{
    return value_of(id)->source;
}

const char *option_source_name(enum option_source source)
{
    static const char *const names[SOURCES] = {"default", "file", "environment", "flag"};

    return (unsigned)source < SOURCES ? names[source] : "unknown";
}

void option_show(enum option_id id, struct buf *out)
{
    const struct value *v = value_of(id);

    buf_adds(out, rows[id].secret && v->text[0] != '\0' ? "***" : v->text);
}

void option_reset(void)
{
    for (int source = 0; source < SOURCES; source++) {
        option_layer_fini(&layers[source]);
    }
    settle_all();
}
