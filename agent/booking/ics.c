/* ics.c: appointments as iCalendar (RFC 5545; invitations by RFC 5546), and the tokens that open a feed.
 *
 * Times are UTC, so no VTIMEZONE has to be kept true. The UID of an appointment is its id and never changes,
 * SEQUENCE rises with each move: calendars replace what they have. Lines are folded at 75 octets, never
 * inside a character. A token is the partition (and for a feed a word that can be changed) sealed under the
 * master key and bound to one id: it opens that one thing, says nothing, and cannot be made by anybody else.
 */
#include <stdio.h>
#include <string.h>

#include "agent/booking/booking_int.h"

#include "agent/booking/ics.h"
#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/base/zone.h"

#define LINE_OCTETS 75
#define LINE_BYTES  20000
#define TOKEN_BYTES 1000
#define NOBODY      "invalid:nomail"

/* Appends one content line, folded. */
static void add_line(struct buf *out, const char *line)
{
    size_t used = 0;

    for (const char *p = line; *p != '\0';) {
        size_t n = 1;
        while (((unsigned char)p[n] & 0xc0) == 0x80) {
            n++;
        }
        if (used + n > LINE_OCTETS) {
            buf_adds(out, "\r\n ");
            used = 1;
        }
        buf_add(out, p, n);
        used += n;
        p += n;
    }
    buf_adds(out, "\r\n");
}

/* "NAME:text" with the text escaped (3.3.11). */
static void add_text(struct buf *out, const char *name, const char *text)
{
    struct buf line;

    buf_init(&line, LINE_BYTES);
    buf_addf(&line, "%s:", name);
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\n') {
            buf_adds(&line, "\\n");
        } else if (strchr("\\;,", *p) != NULL) {
            buf_addf(&line, "\\%c", *p);
        } else if ((unsigned char)*p >= 0x20) {
            buf_addc(&line, *p);
        }
    }
    add_line(out, buf_str(&line));
    buf_fini(&line);
}

/* "NAME:20261124T093000Z" of an RFC 3339 time. */
static void add_time(struct buf *out, const char *name, const char *time)
{
    struct zone_time at;
    int64_t at_ms = 0;
    bool date_only;
    char line[64];

    if (!clock_parse(time, &at_ms, &date_only)) {
        return;
    }
    zone_local("UTC", at_ms, &at);
    snprintf(line, sizeof line, "%s:%04d%02d%02dT%02d%02d%02dZ", name, at.year, at.month, at.day, at.hour,
             at.minute, at.second);
    add_line(out, line);
}

/* A parameter value in quotes; what may not stand there is left out (3.2). */
static void add_quoted(struct buf *line, const char *text)
{
    buf_addc(line, '"');
    for (const char *p = text; *p != '\0'; p++) {
        if (*p != '"' && (unsigned char)*p >= 0x20) {
            buf_addc(line, *p);
        }
    }
    buf_addc(line, '"');
}

/* Who invites and who is invited: an invitation must name both. */
static void add_people(struct buf *out, const json_t *agent, const json_t *appointment)
{
    struct buf line;

    buf_init(&line, LINE_BYTES);
    buf_adds(&line, "ORGANIZER;CN=");
    add_quoted(&line, jx_str_or(agent, "name", ""));
    buf_adds(&line, ":" NOBODY);
    add_line(out, buf_str(&line));
    buf_reset(&line);
    buf_adds(&line, "ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;CN=");
    add_quoted(&line, jx_str_or(appointment, "name", ""));
    buf_adds(&line, ":" NOBODY);
    add_line(out, buf_str(&line));
    buf_fini(&line);
}

/* One appointment. */
static void add_event(struct buf *out, const json_t *agent, const json_t *appointment, bool people)
{
    const char *service = jx_str_or(appointment, "service", ""), *name = jx_str(appointment, "name");
    const json_t *row = booking_service(agent, service, NULL, NULL);
    bool cancelled = strcmp(jx_str_or(appointment, "status", ""), "cancelled") == 0;
    struct buf text;

    buf_init(&text, LINE_BYTES);
    add_line(out, "BEGIN:VEVENT");
    buf_addf(&text, "%s@chasqui", jx_str_or(appointment, "id", ""));
    add_text(out, "UID", buf_str(&text));
    add_time(out, "DTSTAMP", jx_str_or(appointment, "updated_at", ""));
    add_time(out, "DTSTART", jx_str_or(appointment, "starts_at", ""));
    add_time(out, "DTEND", jx_str_or(appointment, "ends_at", ""));
    buf_reset(&text);
    buf_addf(&text, "SEQUENCE:%lld", (long long)jx_int(appointment, "sequence", 0));
    add_line(out, buf_str(&text));
    add_line(out, cancelled ? "STATUS:CANCELLED" : "STATUS:CONFIRMED");
    buf_reset(&text);
    buf_addf(&text, "%s%s%s", jx_str_or(row, "name", service), name != NULL ? ": " : "",
             name != NULL ? name : "");
    add_text(out, "SUMMARY", buf_str(&text));
    add_text(out, "LOCATION", jx_str_or(appointment, "resource", ""));
    if (!people && jx_str(appointment, "notes") != NULL) {
        add_text(out, "DESCRIPTION", jx_str(appointment, "notes"));
    }
    if (people) {
        add_people(out, agent, appointment);
    }
    add_line(out, "END:VEVENT");
    buf_fini(&text);
}

/* What stands around the events. */
static void begin(struct buf *out, const char *method)
{
    add_line(out, "BEGIN:VCALENDAR");
    add_line(out, "VERSION:2.0");
    add_line(out, "PRODID:-//Chasqui//Appointments//EN");
    add_line(out, method);
}

void ics_feed(const json_t *agent, const json_t *appointments, struct buf *out)
{
    size_t i;
    json_t *appointment;

    begin(out, "METHOD:PUBLISH");
    add_text(out, "X-WR-CALNAME", jx_str_or(agent, "name", ""));
    json_array_foreach ((json_t *)appointments, i, appointment) {
        add_event(out, agent, appointment, false);
    }
    add_line(out, "END:VCALENDAR");
}

void ics_invitation(const json_t *agent, const json_t *appointment, struct buf *out)
{
    bool cancelled = strcmp(jx_str_or(appointment, "status", ""), "cancelled") == 0;

    begin(out, cancelled ? "METHOD:CANCEL" : "METHOD:REQUEST");
    add_event(out, agent, appointment, true);
    add_line(out, "END:VCALENDAR");
}

enum err ics_token(const char *purpose, const char *id, const char *part, const char *word, struct buf *out)
{
    char context[STORE_ID_MAX + 40], plain[PARTITION_SIZE + 80];

    snprintf(context, sizeof context, "%s/%s", purpose, id);
    snprintf(plain, sizeof plain, "%s %s", part, word);
    return seal(context, plain, strlen(plain), out);
}

bool ics_token_open(const char *purpose, const char *id, const char *token, char part[PARTITION_SIZE],
                    char word[ICS_WORD_SIZE])
{
    char context[STORE_ID_MAX + 40];
    struct buf plain;

    if (strlen(id) > STORE_ID_MAX || strlen(token) > TOKEN_BYTES) {
        return false;
    }
    snprintf(context, sizeof context, "%s/%s", purpose, id);
    buf_init(&plain, TOKEN_BYTES);
    bool good = unseal(context, token, &plain) == ERR_OK;
    const char *space = good ? strchr(buf_str(&plain), ' ') : NULL;
    good = space != NULL && space - buf_str(&plain) < PARTITION_SIZE && strlen(space + 1) < ICS_WORD_SIZE;
    if (good) {
        snprintf(part, PARTITION_SIZE, "%.*s", (int)(space - buf_str(&plain)), buf_str(&plain));
        snprintf(word, ICS_WORD_SIZE, "%s", space + 1);
    }
    buf_fini(&plain);
    return good;
}
