/* settings.c: the section "appointments": judged before it is stored, read by the other files of the room. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/booking/booking_int.h"

#include "agent/common/hours.h"
#include "agent/common/words.h"
#include "queue/base/zone.h"

#define SERVICES_MAX  100
#define REMINDERS_MAX 5
#define NAME_BYTES    200
#define TEXT_BYTES    1000
#define ID_BYTES      40

static _Thread_local char where_text[200];

const json_t *booking_settings(const json_t *agent)
{
    return jx_obj(jx_obj(agent, "settings"), "appointments");
}

bool booking_enabled(const json_t *agent)
{
    return jx_bool(booking_settings(agent), "enabled", false);
}

int64_t booking_minutes(const json_t *agent, const char *name, int64_t fallback)
{
    return jx_int(booking_settings(agent), name, fallback);
}

const char *booking_zone(const json_t *agent)
{
    const json_t *hours = jx_obj(jx_obj(agent, "settings"), "hours");

    return jx_str_or(booking_settings(agent), "time_zone", jx_str_or(hours, "time_zone", "UTC"));
}

enum err booking_fault(enum err rc, const char **field, struct buf *why, const char *pointer,
                       const char *reason)
{
    if (field != NULL) {
        *field = pointer;
    }
    if (why != NULL) {
        buf_adds(why, reason);
    }
    return rc;
}

/* True if two texts are the same words. */
static bool same_words(const char *a, const char *b)
{
    char *x = words_fold(a), *y = words_fold(b);
    bool same = strcmp(x, y) == 0;

    free(x);
    free(y);
    return same;
}

/* "which of these: ..." */
static void add_names(const json_t *services, struct buf *why)
{
    for (size_t i = 0; why != NULL && i < json_array_size(services); i++) {
        const json_t *service = json_array_get(services, i);
        buf_addf(why, "%s%s", i > 0 ? ", " : "", jx_str_or(service, "name", jx_str_or(service, "id", "")));
    }
}

const json_t *booking_service(const json_t *agent, const char *name, const char **field, struct buf *why)
{
    const json_t *services = jx_arr(booking_settings(agent), "services");
    size_t count = json_array_size(services);

    if (name == NULL && count == 1) {
        return json_array_get(services, 0);
    }
    for (size_t i = 0; name != NULL && i < count; i++) {
        const json_t *service = json_array_get(services, i);
        if (strcmp(jx_str_or(service, "id", ""), name) == 0 ||
            same_words(jx_str_or(service, "name", ""), name)) {
            return service;
        }
    }
    (void)booking_fault(ERR_INVALID, field, why, "/service",
                        count == 0 ? "there are no services" : "one of these is meant: ");
    add_names(services, why);
    return NULL;
}

/* The row of a resource, NULL if there is none. */
static const json_t *resource_row(const json_t *agent, const char *id)
{
    const json_t *rows = jx_arr(booking_settings(agent), "resources");

    for (size_t i = 0; i < json_array_size(rows); i++) {
        if (strcmp(jx_str_or(json_array_get(rows, i), "id", ""), id) == 0) {
            return json_array_get(rows, i);
        }
    }
    return NULL;
}

/* Adds an id if it is the wanted one, or any is. */
static size_t add_resource(const char *ids[BOOKING_RESOURCES], size_t count, const char *id,
                           const char *wanted)
{
    if (id != NULL && count < BOOKING_RESOURCES && (wanted == NULL || strcmp(wanted, id) == 0)) {
        ids[count++] = id;
    }
    return count;
}

size_t booking_resources(const json_t *agent, const json_t *service, const char *wanted,
                         const char *ids[BOOKING_RESOURCES])
{
    const json_t *named = jx_arr(service, "resources"), *rows = jx_arr(booking_settings(agent), "resources");
    size_t count = 0;

    for (size_t i = 0; i < json_array_size(named); i++) {
        count = add_resource(ids, count, json_string_value(json_array_get(named, i)), wanted);
    }
    for (size_t i = 0; json_array_size(named) == 0 && i < json_array_size(rows); i++) {
        count = add_resource(ids, count, jx_str(json_array_get(rows, i), "id"), wanted);
    }
    if (json_array_size(named) == 0 && json_array_size(rows) == 0) {
        count = add_resource(ids, 0, BOOKING_ANY, wanted);
    }
    return count;
}

unsigned booking_capacity(const json_t *agent, const char *resource)
{
    return (unsigned)jx_int(resource_row(agent, resource), "capacity", 1);
}

/* "hours" is either a week by itself or the whole shape of hours.h. */
static json_t *week_of(const json_t *hours)
{
    bool whole = json_object_get(hours, "weekly") != NULL || json_object_get(hours, "exceptions") != NULL ||
                 json_object_get(hours, "time_zone") != NULL;

    return whole ? jx_obj(hours, "weekly") : (json_t *)hours;
}

/* Appends a list to a list. */
static void add_all(json_t *list, const json_t *more)
{
    for (size_t i = 0; i < json_array_size(more); i++) {
        jx_push(list, json_incref(json_array_get(more, i)));
    }
}

json_t *booking_hours(const json_t *agent, const char *resource)
{
    const json_t *section = booking_settings(agent), *row = resource_row(agent, resource);
    const json_t *own = jx_obj(row, "hours"), *common = jx_obj(section, "hours");
    const json_t *business = jx_obj(jx_obj(agent, "settings"), "hours");
    json_t *out = json_object(), *exceptions = json_array();

    json_t *week = own != NULL ? week_of(own) : common != NULL ? week_of(common) : jx_obj(business, "weekly");
    jx_set_str(out, "time_zone", booking_zone(agent));
    if (week != NULL) {
        jx_set(out, "weekly", json_incref(week));
    }
    add_all(exceptions, jx_arr(row, "exceptions"));
    add_all(exceptions, jx_arr(own, "exceptions"));
    add_all(exceptions, jx_arr(section, "exceptions"));
    add_all(exceptions, jx_arr(common, "exceptions"));
    if (common == NULL) {
        add_all(exceptions, jx_arr(business, "exceptions"));
    }
    jx_set(out, "exceptions", exceptions);
    return out;
}

/* ---- judging ---- */

/* One look; the place of the fault stays readable behind it. */
struct look {
    const json_t *section;
    struct buf *why;
};

static enum err fault(struct look *look, const char *reason)
{
    if (look->why != NULL) {
        buf_adds(look->why, reason);
    }
    return ERR_INVALID;
}

/* True if every key is one of the words; the first other one goes into the place. */
static bool keys_known(const json_t *object, const char *place, const char *words)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)object, key, value) {
        char word[80];
        snprintf(word, sizeof word, " %.60s ", key);
        if (strstr(words, word) == NULL) {
            snprintf(where_text, sizeof where_text, "%.80s/%.60s", place, key);
            return false;
        }
    }
    return true;
}

/* Absent, or a whole number within the bounds. */
static bool int_ok(const json_t *object, const char *key, int64_t min, int64_t max)
{
    const json_t *value = json_object_get(object, key);

    return value == NULL ||
           (json_is_integer(value) && json_integer_value(value) >= min && json_integer_value(value) <= max);
}

/* Letters, digits, - and _. */
static bool id_ok(const char *id)
{
    size_t n = id != NULL ? strlen(id) : 0;

    return n > 0 && n <= ID_BYTES &&
           strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == n;
}

/* True if an earlier row has the id of this one. */
static bool id_taken(const json_t *rows, size_t index)
{
    const char *id = jx_str_or(json_array_get(rows, index), "id", "");

    for (size_t i = 0; i < index; i++) {
        if (strcmp(jx_str_or(json_array_get(rows, i), "id", ""), id) == 0) {
            return true;
        }
    }
    return false;
}

/* Hours or exceptions of an object, by the rules of hours.h. */
static enum err check_times(struct look *look, const json_t *object, const char *place)
{
    json_t *hours = json_object();
    const json_t *given = json_object_get(object, "hours"),
                 *exceptions = json_object_get(object, "exceptions");
    const char *inner = "";
    bool week = given != NULL && week_of(given) == given;

    if (week) {
        jx_set(hours, "weekly", json_incref((json_t *)given));
    } else if (json_is_object(given)) {
        json_object_update(hours, (json_t *)given);
    }
    enum err rc = hours_check(hours, &inner, look->why);
    if (rc != ERR_OK) {
        snprintf(where_text, sizeof where_text, "%.60s/hours%.100s", place,
                 week ? inner + strlen("/weekly") : inner);
    } else if (exceptions != NULL) {
        json_object_clear(hours);
        jx_set(hours, "exceptions", json_incref((json_t *)exceptions));
        rc = hours_check(hours, &inner, look->why);
        snprintf(where_text, sizeof where_text, "%.60s%.100s", place, rc != ERR_OK ? inner : "");
    }
    json_decref(hours);
    return rc;
}

static enum err check_resource(struct look *look, const json_t *rows, size_t index)
{
    const json_t *row = json_array_get(rows, index), *name = json_object_get(row, "name");
    char place[60];

    snprintf(place, sizeof place, "/resources/%zu", index);
    snprintf(where_text, sizeof where_text, "%s", place);
    if (!json_is_object(row) || !id_ok(jx_str(row, "id")) || id_taken(rows, index)) {
        return fault(look, "needs an id of its own of letters, digits, - and _");
    }
    if (!keys_known(row, place, " id name capacity hours exceptions ")) {
        return fault(look, "is not a known field");
    }
    if (!int_ok(row, "capacity", 1, 1000) ||
        (name != NULL && (!json_is_string(name) || json_string_length(name) > NAME_BYTES))) {
        return fault(look, "capacity is a whole number from 1 to 1000, name a text");
    }
    return check_times(look, row, place);
}

/* True if a row of the section's resources has the id. */
static bool resource_there(const json_t *section, const char *id)
{
    const json_t *rows = jx_arr(section, "resources");

    for (size_t i = 0; id != NULL && i < json_array_size(rows); i++) {
        if (strcmp(jx_str_or(json_array_get(rows, i), "id", ""), id) == 0) {
            return true;
        }
    }
    return false;
}

static enum err check_service(struct look *look, const json_t *rows, size_t index)
{
    const json_t *row = json_array_get(rows, index), *resources = json_object_get(row, "resources");
    const json_t *name = json_object_get(row, "name");
    char place[60];

    snprintf(place, sizeof place, "/services/%zu", index);
    snprintf(where_text, sizeof where_text, "%s", place);
    if (!json_is_object(row) || !id_ok(jx_str(row, "id")) || id_taken(rows, index)) {
        return fault(look, "needs an id of its own of letters, digits, - and _");
    }
    if (!keys_known(row, place, " id name minutes buffer_before buffer_after resources price ")) {
        return fault(look, "is not a known field");
    }
    if (jx_int(row, "minutes", 0) < 1 || !int_ok(row, "minutes", 1, BOOKING_SERVICE_MAX) ||
        !int_ok(row, "buffer_before", 0, BOOKING_BUFFER_MAX) ||
        !int_ok(row, "buffer_after", 0, BOOKING_BUFFER_MAX)) {
        return fault(look, "minutes are 1 to 1440, buffers 0 to 240");
    }
    if (name != NULL && (!json_is_string(name) || json_string_length(name) > NAME_BYTES)) {
        return fault(look, "name is a text of at most 200 bytes");
    }
    if (resources != NULL && !json_is_array(resources)) {
        return fault(look, "resources is a list of ids");
    }
    for (size_t i = 0; i < json_array_size(resources); i++) {
        snprintf(where_text, sizeof where_text, "%s/resources/%zu", place, i);
        if (!resource_there(look->section, json_string_value(json_array_get(resources, i)))) {
            return fault(look, "names no resource of this section");
        }
    }
    return ERR_OK;
}

static enum err check_reminder(struct look *look, const json_t *row, size_t index)
{
    const json_t *text = json_object_get(row, "text"), *template = json_object_get(row, "template");
    char place[60];

    snprintf(place, sizeof place, "/reminders/%zu", index);
    snprintf(where_text, sizeof where_text, "%s", place);
    if (!json_is_object(row) || !keys_known(row, place, " before_minutes text template ")) {
        return fault(look, "holds before_minutes, text, template");
    }
    if (jx_int(row, "before_minutes", 0) < 1 || !int_ok(row, "before_minutes", 1, 60 * 24 * 30)) {
        return fault(look, "before_minutes is a whole number of minutes up to 30 days");
    }
    if (text != NULL && (!json_is_string(text) || json_string_length(text) > TEXT_BYTES)) {
        return fault(look, "text is at most 1000 bytes");
    }
    snprintf(where_text, sizeof where_text, "%s/template", place);
    if (template != NULL && (jx_str(template, "name") == NULL || jx_str(template, "language") == NULL ||
                             !keys_known(template, where_text, " name language parameters "))) {
        return fault(look, "is {\"name\", \"language\", \"parameters\"?: [text]}");
    }
    return ERR_OK;
}

/* Each row of a list by its check. */
static enum err check_rows(struct look *look, const char *name, size_t max,
                           enum err (*check)(struct look *, const json_t *, size_t))
{
    const json_t *rows = json_object_get(look->section, name);
    enum err rc = ERR_OK;

    snprintf(where_text, sizeof where_text, "/%s", name);
    if (rows != NULL && (!json_is_array(rows) || json_array_size(rows) > max)) {
        return fault(look, "must be a list and not longer than allowed");
    }
    for (size_t i = 0; rc == ERR_OK && i < json_array_size(rows); i++) {
        rc = check(look, rows, i);
    }
    return rc;
}

/* check_reminder for check_rows. */
static enum err check_reminder_row(struct look *look, const json_t *rows, size_t index)
{
    return check_reminder(look, json_array_get(rows, index), index);
}

/* The plain members of the section. */
static enum err check_plain(struct look *look)
{
    const json_t *enabled = json_object_get(look->section, "enabled");
    const json_t *zone = json_object_get(look->section, "time_zone");

    snprintf(where_text, sizeof where_text, "/enabled");
    if (enabled != NULL && !json_is_boolean(enabled)) {
        return fault(look, "must be true or false");
    }
    snprintf(where_text, sizeof where_text, "/time_zone");
    if (zone != NULL && (!json_is_string(zone) || !zone_known(json_string_value(zone)))) {
        return fault(look, "is not the name of a time zone, such as Europe/Madrid");
    }
    snprintf(where_text, sizeof where_text, "/slot_minutes");
    if (!int_ok(look->section, "slot_minutes", 5, 1440)) {
        return fault(look, "must be a whole number from 5 to 1440");
    }
    snprintf(where_text, sizeof where_text, "/notice_minutes");
    if (!int_ok(look->section, "notice_minutes", 0, 60 * 24 * 60)) {
        return fault(look, "must be a whole number of minutes up to 60 days");
    }
    snprintf(where_text, sizeof where_text, "/horizon_days");
    return int_ok(look->section, "horizon_days", 1, 365)
               ? ERR_OK
               : fault(look, "must be a whole number from 1 to 365");
}

enum err booking_settings_check(const json_t *section, const char **field, struct buf *why)
{
    struct look look = {.section = section, .why = why};

    where_text[0] = '\0';
    if (field != NULL) {
        *field = where_text;
    }
    if (!json_is_object(section)) {
        return fault(&look, "must be an object");
    }
    if (!keys_known(section, "",
                    " enabled time_zone services resources hours exceptions slot_minutes notice_minutes"
                    " horizon_days reminders ")) {
        return fault(&look, "is not a known field");
    }
    enum err rc = check_plain(&look);
    if (rc == ERR_OK) {
        rc = check_times(&look, section, "");
    }
    if (rc == ERR_OK) {
        rc = check_rows(&look, "resources", BOOKING_RESOURCES, check_resource);
    }
    if (rc == ERR_OK) {
        rc = check_rows(&look, "services", SERVICES_MAX, check_service);
    }
    return rc == ERR_OK ? check_rows(&look, "reminders", REMINDERS_MAX, check_reminder_row) : rc;
}
