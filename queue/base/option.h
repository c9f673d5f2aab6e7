/* option.h: configuration as data: one table of rows; flag over environment over file over default.
 *
 * The rows are queue/base/tbl_options.h: name ("http.listen"), type, unit, default, range, whether a reload
 * takes it, whether it is secret, one line of help. From a row come the flag (--http-listen, or the short form
 * named in the row), the variable (CHASQUI_HTTP_LISTEN), the key in the INI file ([http] listen = ...),
 * `chasqui check-config` and the man page. Variables of the section "core" leave it out (CHASQUI_DATA). An unknown key is an error that names the nearest known one.
 * Thread: loading at start; getters from any thread afterwards. */
#ifndef CHASQUI_BASE_OPTION_H
#define CHASQUI_BASE_OPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/base/buf.h"
#include "queue/base/error.h"

enum option_type { OPTION_TEXT, OPTION_INT, OPTION_BOOL, OPTION_SIZE, OPTION_TIME };
enum option_source { OPTION_DEFAULT, OPTION_FILE, OPTION_ENVIRONMENT, OPTION_FLAG };

enum option_id {
#define X(symbol, name, flag, type, fallback, min, max, reload, secret, help) symbol,
#include "queue/base/tbl_options.h"
#undef X
    OPTION_COUNT
};

struct option_row {
    const char *name;     /* "section.key" */
    const char *flag;     /* long flag without dashes */
    enum option_type type;
    const char *fallback; /* default, as text */
    int64_t min, max;     /* for INT, SIZE (bytes) and TIME (ms) */
    bool reload;          /* SIGHUP takes a new value */
    bool secret;          /* masked wherever it is shown */
    const char *help;
};
const struct option_row *option_row(enum option_id id);

/* Layers, to be called in any order; the highest source wins. On ERR_INVALID why holds one sentence with the
 * place (file:line, variable or flag). */
enum err option_load_file(const char *path, struct buf *why) MUST_CHECK;
/* The same at SIGHUP: takes only the rows whose reload is true; a key that left the file is back at what the
 * lower layers say. restart (may be NULL) gets the names of other rows that changed, separated by spaces. */
enum err option_reload_file(const char *path, struct buf *restart, struct buf *why) MUST_CHECK;
enum err option_load_environment(struct buf *why) MUST_CHECK;
/* flag without the dashes; value NULL for a bare boolean flag. ERR_NOTFOUND if no row has that flag. */
enum err option_set_flag(const char *flag, const char *value, struct buf *why) MUST_CHECK;
/* True if the flag is known and needs a value. */
bool option_flag_takes_value(const char *flag, bool *known);

/* TEXT values stay valid for the process's life. Sizes are bytes ("10MiB"), times are ms ("30s"). */
const char *option_text(enum option_id id);
int64_t option_int(enum option_id id);
bool option_bool(enum option_id id);
enum option_source option_source_of(enum option_id id);
const char *option_source_name(enum option_source source);
/* The value as it would be written in a file; "***" for secrets that are set. */
void option_show(enum option_id id, struct buf *out);
/* Tests: every row back to its default. */
void option_reset(void);

#endif
