/* answer.c: the table of answers. */
#include "bridge/api/answer.h"

const struct answer_row answer_rows[] = {
#define ANSWER(handler, status, form, schema) {handler, status, form, schema},
#include "bridge/api/tbl_answers.h"
#undef ANSWER
};
const unsigned answer_row_count = sizeof(answer_rows) / sizeof(answer_rows[0]);

const struct answer_row *answer_of(const struct route *route)
{
    for (unsigned i = 0; i < answer_row_count; i++) {
        if (answer_rows[i].handler == route->handler) {
            return &answer_rows[i];
        }
    }
    return NULL;
}
