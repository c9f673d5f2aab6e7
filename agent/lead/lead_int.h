/* lead_int.h: what the files of this room share. Private to the room. */
#ifndef CHASQUI_AGENT_LEAD_INT_H
#define CHASQUI_AGENT_LEAD_INT_H

#include <stdbool.h>
#include <stddef.h>

#include "queue/base/buf.h"
#include "queue/base/json.h"

/* One type of field: value from trimmed text, NULL if it is refused. */
struct lead_type {
    const char *name;
    json_t *(*fn)(const json_t *row, const char *text, struct buf *why);
};
extern const struct lead_type lead_types[];
extern const size_t lead_type_count;

/* Whether a text is an address by the lengths and atoms of RFC 5321. */
bool lead_email_ok(const char *text);

/* The section and its rows; NULL if the agent has none. */
const json_t *lead_settings(const json_t *agent);
const json_t *lead_field_row(const json_t *agent, const char *name);

/* Points of the values, and whether they meet the rules (qualify.c). */
double lead_score(const json_t *leads, const json_t *fields);
bool lead_is_qualified(const json_t *leads, const json_t *fields, double score);

#endif
