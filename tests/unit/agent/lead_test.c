/* lead_test.c: values by type, points and rules, one open lead for each contact, each event once. */
#include "../queue/store_fixture.h"

#include "agent/lead/lead.h"
#include "queue/events.h"

#define AGENT                                                                  \
    "{'id': 'agt_A', 'settings': {'leads': {'enabled': true, 'fields': ["      \
    " {'name': 'email', 'type': 'email', 'required': true, 'score': 20},"      \
    " {'name': 'phone', 'type': 'phone'},"                                     \
    " {'name': 'budget', 'type': 'number', 'required': true},"                 \
    " {'name': 'plan', 'type': 'choice', 'choices': ['Básico', 'Pro plan']}," \
    " {'name': 'zip', 'type': 'text', 'pattern': '[0-9]{5}'},"                 \
    " {'name': 'when', 'type': 'date'}, {'name': 'owner', 'type': 'bool'}],"   \
    " 'qualify': {'required': ['email', 'budget'], 'min_score': 50,"           \
    " 'rules': [{'field': 'budget', 'op': 'gt', 'value': 1000, 'score': 40},"  \
    " {'field': 'email', 'op': 'contains', 'value': 'example'}]}}}}"
#define CONVERSATION "{'id': 'cnv_A', 'contact_id': 'con_A', 'agent_id': 'agt_A'}"

/* Each row: a field's type, what was given, what becomes of it ("" for refused). */
static const struct {
    const char *row, *text, *want;
} values[] = {
    {"{'type': 'email'}", " Ana.Gil@Example.COM ", "\"Ana.Gil@example.com\""},
    {"{'type': 'email'}", "ana@localhost", ""},
    {"{'type': 'email'}", "ana@@example.com", ""},
    {"{'type': 'email'}", "a..b@example.com", ""},
    {"{'type': 'email'}", ".a@example.com", ""},
    {"{'type': 'email'}", "a@-example.com", ""},
    {"{'type': 'email'}", "a@example.com.", ""},
    {"{'type': 'email'}", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@example.com",
     ""},
    {"{'type': 'phone'}", "+34 600-123-456", "\"+34600123456\""},
    {"{'type': 'phone'}", "call me", ""},
    {"{'type': 'number'}", "1200", "1200"},
    {"{'type': 'number'}", "12,5 €", "12.5"},
    {"{'type': 'number'}", "$12,5", "12.5"},
    {"{'type': 'number'}", "about ten", ""},
    {"{'type': 'choice', 'choices': ['Básico', 'Pro plan']}", "BASICO", "\"Básico\""},
    {"{'type': 'choice', 'choices': ['Básico', 'Pro plan']}", "the pro plan please", "\"Pro plan\""},
    {"{'type': 'choice', 'choices': ['Básico', 'Pro plan']}", "both basico and pro plan", ""},
    {"{'type': 'date'}", "2026-12-01", "\"2026-12-01\""},
    {"{'type': 'date'}", "2026-02-30", ""},
    {"{'type': 'bool'}", "Sí", "true"},
    {"{'type': 'bool'}", "no", "false"},
    {"{'type': 'bool'}", "maybe", ""},
    {"{'type': 'text', 'pattern': '[0-9]{5}'}", "28013", "\"28013\""},
    {"{'type': 'text', 'pattern': '[0-9]{5}'}", "28013 Madrid", ""},
    {"{'type': 'text'}", "  ", ""},
};

static void test_values(void **state)
{
    struct buf why;

    (void)state;
    buf_init(&why, 500);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        json_t *row = json_of(values[i].row);
        buf_reset(&why);
        json_t *got = lead_value(row, values[i].text, &why);
        char *text = got != NULL ? json_dumps(got, JSON_ENCODE_ANY) : xstrdup("");
        assert_string_equal(text, values[i].want);
        assert_int_equal(why.len > 0, got == NULL);
        free(text);
        json_decref(got);
        json_decref(row);
    }
    buf_fini(&why);
}

/* Collects in a change-set of its own. */
static enum err collect(struct fixture *f, const char *given, json_t **lead, const char **field)
{
    struct snapshot *snap;
    struct changes *cs = changes_new();
    json_t *agent = json_of(AGENT), *conversation = json_of(CONVERSATION), *map = json_of(given);

    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    enum err rc = lead_collect(cs, snap, PART, agent, conversation, map, lead, field, NULL);
    snapshot_close(snap);
    if (rc == ERR_OK && changes_any(cs)) {
        rc = commit(f, cs);
    } else {
        changes_free(cs);
    }
    json_decref(agent);
    json_decref(conversation);
    json_decref(map);
    return rc;
}

/* How many events of a type were written. */
static unsigned events(struct fixture *f, const char *type)
{
    struct snapshot *snap;
    struct store_page page;
    struct page_query query = {.kind = KIND_EVENT, .part = PART, .limit = 1000};
    unsigned n = 0;

    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    assert_int_equal(snapshot_page(snap, &query, &page), ERR_OK);
    for (size_t i = 0; i < page.count; i++) {
        n += strcmp(jx_str_or(page.rows[i].body, "type", ""), type) == 0;
    }
    store_page_free(&page);
    snapshot_close(snap);
    return n;
}

static void test_collect(void **state)
{
    struct fixture *f = *state;
    json_t *lead = NULL;
    const char *field = NULL;

    assert_int_equal(collect(f, "{'email': 'ana@EXAMPLE.com', 'plan': 'pro plan'}", &lead, &field), ERR_OK);
    assert_string_equal(jx_str(jx_obj(lead, "fields"), "email"), "ana@example.com");
    assert_string_equal(jx_str(lead, "status"), "new");
    assert_int_equal(jx_int(lead, "score", 0), 20);
    json_decref(lead);
    assert_int_equal(collect(f, "{'budget': 900}", &lead, &field), ERR_OK);
    assert_string_equal(jx_str(lead, "status"), "new");
    json_decref(lead);
    assert_int_equal(events(f, "lead.qualified"), 0);
    assert_int_equal(collect(f, "{'budget': '1500'}", &lead, &field), ERR_OK);
    assert_string_equal(jx_str(lead, "status"), "qualified");
    assert_int_equal(jx_int(lead, "score", 0), 60);
    json_decref(lead);
    assert_int_equal(collect(f, "{'budget': 2500}", &lead, &field), ERR_OK);
    json_decref(lead);
    assert_int_equal(events(f, "lead.created"), 1);
    assert_int_equal(events(f, "lead.qualified"), 1);
    assert_int_equal(count(f, KIND_LEAD, INDEX_NONE, NULL), 1);
}

static void test_refused(void **state)
{
    struct fixture *f = *state;
    json_t *lead = NULL;
    const char *field = NULL;

    assert_int_equal(collect(f, "{'budget': 5, 'email': 'nobody'}", &lead, &field), ERR_INVALID);
    assert_string_equal(field, "/email");
    assert_null(lead);
    assert_int_equal(collect(f, "{'colour': 'red'}", &lead, &field), ERR_INVALID);
    assert_string_equal(field, "/colour");
    assert_int_equal(collect(f, "{'email': {}}", &lead, &field), ERR_INVALID);
    assert_int_equal(count(f, KIND_LEAD, INDEX_NONE, NULL), 0);
    assert_int_equal(events(f, "lead.created"), 0);
}

/* Two that begin a lead on one snapshot: one wins, the other is told. Two in one set: one lead. */
static void test_races(void **state)
{
    struct fixture *f = *state;
    struct snapshot *snap;
    struct changes *one = changes_new(), *two = changes_new();
    json_t *agent = json_of(AGENT), *conversation = json_of(CONVERSATION), *a = json_of("{'budget': 1}");
    json_t *b = json_of("{'email': 'a@example.com'}"), *lead;

    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    assert_int_equal(lead_collect(one, snap, PART, agent, conversation, a, &lead, NULL, NULL), ERR_OK);
    json_decref(lead);
    assert_int_equal(lead_collect(one, snap, PART, agent, conversation, b, &lead, NULL, NULL), ERR_OK);
    json_decref(lead);
    assert_int_equal(lead_collect(two, snap, PART, agent, conversation, a, &lead, NULL, NULL), ERR_OK);
    json_decref(lead);
    snapshot_close(snap);
    assert_int_equal(commit(f, one), ERR_OK);
    assert_int_equal(commit(f, two), ERR_CONFLICT);
    assert_int_equal(count(f, KIND_LEAD, INDEX_NONE, NULL), 1);
    assert_int_equal(events(f, "lead.created"), 1);
    assert_int_equal(collect(f, "{'plan': 'pro plan'}", &lead, NULL), ERR_OK);
    assert_int_equal(json_object_size(jx_obj(lead, "fields")), 3);
    json_decref(lead);
    json_decref(agent);
    json_decref(conversation);
    json_decref(a);
    json_decref(b);
}

/* A lead that is won is over: what comes next begins another one. */
static void test_won(void **state)
{
    struct fixture *f = *state;
    struct snapshot *snap;
    json_t *lead = NULL, *agent = json_of(AGENT), *body = json_of("{'status': 'won', 'notes': 'paid'}");

    assert_int_equal(collect(f, "{'budget': 1}", &lead, NULL), ERR_OK);
    char *id = xstrdup(jx_str(lead, "id"));
    json_decref(lead);
    uint64_t rev;
    lead = get(f, KIND_LEAD, PART, id, &rev);
    struct changes *cs = changes_new();
    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    assert_int_equal(lead_change(cs, snap, PART, agent, lead, rev, body, NULL, NULL), ERR_OK);
    snapshot_close(snap);
    assert_int_equal(commit(f, cs), ERR_OK);
    json_decref(lead);
    assert_int_equal(collect(f, "{'budget': 1}", &lead, NULL), ERR_OK);
    assert_string_not_equal(jx_str(lead, "id"), id);
    assert_int_equal(count(f, KIND_LEAD, INDEX_NONE, NULL), 2);
    json_decref(lead);
    json_decref(agent);
    json_decref(body);
    free(id);
}

/* Each row: what a customer typed, what is found. */
static const struct {
    const char *text, *want;
} spots[] = {
    {"Hi, I'm Ana, write me at Ana@Example.com. Thanks", "{\"email\":\"Ana@Example.com\"}"},
    {"my number is +34 600 123 456, mail <a.b@c-d.io>!",
     "{\"email\":\"a.b@c-d.io\",\"phone\":\"+34600123456\"}"},
    {"0034 600 123 456", "{\"phone\":\"+34600123456\"}"},
    {"order 600123456 please", "{}"},
    {"a@b.com or c@d.com", "{}"},
    {"5+3=8 and user@", "{}"},
};

static void test_spot(void **state)
{
    json_t *agent = json_of(AGENT);

    (void)state;
    for (size_t i = 0; i < sizeof spots / sizeof *spots; i++) {
        json_t *got = lead_spot(agent, spots[i].text);
        char *text = jx_text(got);
        assert_string_equal(text, spots[i].want);
        free(text);
        json_decref(got);
    }
    json_decref(agent);
}

/* Each row: a section, the place of its fault. */
static const struct {
    const char *text, *where;
} faults[] = {
    {"[]", ""},
    {"{'colour': 1}", "/colour"},
    {"{'enabled': 'yes'}", "/enabled"},
    {"{'fields': [{'name': 'E mail', 'type': 'email'}]}", "/fields/0"},
    {"{'fields': [{'name': 'a', 'type': 'mail'}]}", "/fields/0/type"},
    {"{'fields': [{'name': 'a', 'type': 'text'}, {'name': 'a', 'type': 'text'}]}", "/fields/1"},
    {"{'fields': [{'name': 'a', 'type': 'choice'}]}", "/fields/0/choices"},
    {"{'fields': [{'name': 'a', 'type': 'text', 'pattern': '('}]}", "/fields/0/pattern"},
    {"{'fields': [{'name': 'a', 'type': 'text', 'size': 3}]}", "/fields/0/size"},
    {"{'fields': [], 'qualify': {'required': ['x']}}", "/qualify/required/0"},
    {"{'fields': [{'name': 'a', 'type': 'text'}], 'qualify': {'rules': [{'field': 'a', 'op': 'is', 'value': "
     "1}]}}",
     "/qualify/rules/0/op"},
    {"{'fields': [{'name': 'a', 'type': 'text'}], 'qualify': {'rules': [{'field': 'a', 'op': 'in', 'value': "
     "1}]}}",
     "/qualify/rules/0/value"},
};

static void test_settings(void **state)
{
    json_t *agent = json_of(AGENT);

    (void)state;
    assert_int_equal(lead_settings_check(jx_obj(jx_obj(agent, "settings"), "leads"), NULL, NULL), ERR_OK);
    json_decref(agent);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        const char *field = NULL;
        json_t *section = json_of(faults[i].text);
        assert_int_equal(lead_settings_check(section, &field, NULL), ERR_INVALID);
        assert_string_equal(field, faults[i].where);
        json_decref(section);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),   STORE_TEST(test_collect), STORE_TEST(test_refused),
        STORE_TEST(test_races),          STORE_TEST(test_won),     cmocka_unit_test(test_spot),
        cmocka_unit_test(test_settings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
