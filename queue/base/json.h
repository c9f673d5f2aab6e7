/* json.h: jansson with our rules in one place.
 *
 * Two ways in: jx_parse_strict for our own API (no duplicate keys, no \u0000, valid UTF-8, an object at the
 * root, depth at most 64) and jx_parse_lenient for what platforms and model servers send (NUL allowed, any
 * root, duplicates: last wins). One way out: jx_dump, compact, keys in insertion order. The getters never
 * fail: a missing key or another type gives the fallback, so that hostile input needs no branches. Strings
 * may hold NUL bytes after a lenient parse: where that matters use json_string_length. Thread: a value
 * belongs to one thread at a time. */
#ifndef CHASQUI_BASE_JSON_H
#define CHASQUI_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/base/buf.h"
#include "queue/base/error.h"

/* New reference in *out. ERR_INVALID with a reason and byte offset in why (may be NULL). */
enum err jx_parse_strict(const char *text, size_t len, json_t **out, struct buf *why) MUST_CHECK;
enum err jx_parse_lenient(const char *text, size_t len, json_t **out) MUST_CHECK;

/* Adds the compact text to out; marks out as failed when it does not fit. */
void jx_dump(const json_t *value, struct buf *out);
/* Adds a text as a JSON string. Invalid UTF-8 is replaced by U+FFFD. */
void jx_dump_str(struct buf *out, const char *text);
/* As a malloc'ed text (caller frees). */
char *jx_text(const json_t *value);

/* Borrowed values; obj may be NULL or not an object. */
const char *jx_str(const json_t *obj, const char *key);                         /* NULL if absent */
const char *jx_str_or(const json_t *obj, const char *key, const char *fallback); /* fallback if absent */
int64_t jx_int(const json_t *obj, const char *key, int64_t fallback);
double jx_num(const json_t *obj, const char *key, double fallback);
bool jx_bool(const json_t *obj, const char *key, bool fallback);
json_t *jx_obj(const json_t *obj, const char *key);   /* NULL if absent or no object */
json_t *jx_arr(const json_t *obj, const char *key);   /* NULL if absent or no array */
/* True if the array under key has this text. */
bool jx_lists(const json_t *obj, const char *key, const char *text);
/* A JSON pointer (RFC 6901), borrowed; NULL if nothing is there. */
json_t *jx_at(const json_t *root, const char *pointer);

/* Setters die on exhaustion; a NULL text sets JSON null. Invalid UTF-8 is replaced by U+FFFD. */
void jx_set(json_t *obj, const char *key, json_t *value); /* steals value */
void jx_set_str(json_t *obj, const char *key, const char *text);
void jx_set_strn(json_t *obj, const char *key, const char *text, size_t len);
void jx_set_int(json_t *obj, const char *key, int64_t value);
void jx_set_bool(json_t *obj, const char *key, bool value);
void jx_set_time(json_t *obj, const char *key, int64_t wall_ms); /* RFC 3339, seconds */
void jx_push(json_t *arr, json_t *value);                        /* steals value */

/* json_decref as a callback for arena_defer. */
void jx_decref(void *value);

#endif
