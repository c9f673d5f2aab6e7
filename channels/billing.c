/* billing.c: the price of a message, once. */
#include "channels/billing.h"

#include <stdio.h>
#include <string.h>

#include "queue/base/clock.h"

#define QUARTER_MS    (15 * 60 * (int64_t)1000)
#define CATEGORY_SIZE 41

/* The category in the one spelling we count by: lower case letters and underscores. */
static void category_of(const json_t *pricing, char out[CATEGORY_SIZE])
{
    const char *given = jx_str_or(pricing, "category", "");
    size_t n = 0;

    for (; given[n] != '\0' && n < CATEGORY_SIZE - 1; n++) {
        char c = (char)(given[n] >= 'A' && given[n] <= 'Z' ? given[n] + 'a' - 'A' : given[n]);
        out[n] = (char)(c >= 'a' && c <= 'z' ? c : '_');
    }
    snprintf(out + n, CATEGORY_SIZE - n, "%s", n == 0 ? "unknown" : "");
}

bool billing_note(struct changes *cs, const char *part, json_t *msg, const json_t *pricing)
{
    char category[CATEGORY_SIZE], counter[160], at[CLOCK_TEXT_SIZE];
    const char *type = jx_str(pricing, "type");
    int64_t now = clock_wall_ms();

    if (pricing == NULL || jx_obj(msg, "billing") != NULL) {
        return false;
    }
    bool billable = jx_bool(pricing, "billable", type == NULL || strcmp(type, "regular") == 0);
    category_of(pricing, category);
    json_t *billing = json_object();
    jx_set_str(billing, "category", category);
    jx_set_bool(billing, "billable", billable);
    jx_set(msg, "billing", billing);
    if (billable) {
        snprintf(counter, sizeof counter, BILLING_PREFIX "%.16s.%.40s.%s",
                 clock_rfc3339(now - now % QUARTER_MS, at), jx_str_or(msg, "agent_id", "-"), category);
        changes_add(cs, part, counter, 1);
    }
    return true;
}
