/* pace_test.c: the token buckets of pacing, and the lines of those who wait at a number. */
#include "channels_fixture.h"

#include "channels/channels_int.h"

/* Without a place in the line. */
static int64_t take_at(const char *channel_id, const char *contact_id, int64_t per_second, int64_t now)
{
    struct pace_wish wish = {.channel_id = channel_id, .contact_id = contact_id, .per_second = per_second};

    return pace_take(&wish, now);
}

static int64_t take(const char *channel_id, const char *contact_id, int64_t now)
{
    return take_at(channel_id, contact_id, 0, now);
}

static void set_option(const char *flag, const char *value)
{
    struct buf why;

    buf_init(&why, 200);
    assert_int_equal(option_set_flag(flag, value, &why), ERR_OK);
    buf_fini(&why);
}

static void test_pair(void **state)
{
    int64_t now = 1000000;

    (void)state;
    option_reset();
    pace_reset();
    for (int i = 0; i < 45; i++) {
        assert_int_equal(take("chn_1", "con_1", now), 0);
    }
    int64_t wait = take("chn_1", "con_1", now);
    assert_in_range(wait, 5900, 6001);
    assert_int_equal(take("chn_1", "con_2", now), 0); /* another customer is not held up */
    assert_in_range(take("chn_1", "con_1", now + 3000), 2900, 3001);
    assert_int_equal(take("chn_1", "con_1", now + 6001), 0);
    assert_true(take("chn_1", "con_1", now + 6001) > 0);
    for (int i = 0; i < 45; i++) { /* five minutes later all is earned back, and no more than that */
        assert_int_equal(take("chn_1", "con_1", now + 400000), 0);
    }
    assert_true(take("chn_1", "con_1", now + 400000) > 0);
    pace_reset();
}

static void test_number(void **state)
{
    char contact[24];
    int64_t now = 5000;

    (void)state;
    option_reset();
    set_option("number-rate", "20");
    pace_reset();
    for (int i = 0; i < 20; i++) {
        snprintf(contact, sizeof contact, "con_%d", i);
        assert_int_equal(take("chn_1", contact, now), 0);
    }
    assert_in_range(take("chn_1", "con_x", now), 1, 51);
    assert_int_equal(take("chn_2", "con_x", now), 0);
    assert_int_equal(take("chn_1", "con_x", now + 51), 0);
    set_option("number-rate", "0");
    set_option("pair-burst", "0");
    for (int i = 0; i < 200; i++) {
        assert_int_equal(take("chn_1", "con_x", now), 0);
    }
    option_reset();
    pace_reset();
}

static void test_hold(void **state)
{
    int64_t now = 1000000;

    (void)state;
    pace_reset();
    assert_int_equal(take("chn_1", "con_1", now), 0);
    pace_hold("chn_1", 5000, now);
    pace_hold("chn_1", 2000, now); /* the longer one stays */
    assert_int_equal(take("chn_1", "con_2", now), 5000);
    assert_int_equal(take("chn_2", "con_2", now), 0); /* another channel goes on */
    assert_int_equal(take("chn_1", "con_2", now + 4999), 1);
    assert_int_equal(take("chn_1", "con_2", now + 5000), 0);
    pace_hold("chn_1", 3600000, now + 6000);
    assert_true(take("chn_1", "con_3", now + 1000000) > 0);
    pace_release("chn_1");
    assert_int_equal(take("chn_1", "con_3", now + 1000000), 0);
    pace_reset();
}

/* The platform's own throughput counts where the operator left the usual rate. */
static void test_throughput(void **state)
{
    int64_t now = 1000000;
    char contact[24];
    unsigned let = 0;

    (void)state;
    pace_reset();
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(contact, sizeof contact, "con_%u", i);
        let += take_at("chn_1", contact, 1000, now) == 0;
    }
    assert_int_equal(let, 1000);
    assert_true(take_at("chn_1", "con_x", 1000, now) > 0);
    pace_reset();
}

/* A message of a customer of its own asks, as the outbox does. */
static int64_t ask(unsigned number, bool is_template, int64_t now)
{
    char contact[24], message[24];
    struct pace_wish wish = {
        .channel_id = "chn_1", .contact_id = contact, .message_id = message, .is_template = is_template};

    snprintf(contact, sizeof contact, "con_%u", number);
    snprintf(message, sizeof message, "msg_%u", number);
    return pace_take(&wish, now);
}

static void begin(const char *rate)
{
    option_reset();
    set_option("number-rate", rate);
    pace_reset();
}

/* Who waits leaves in the order of arrival after one wait, whatever comes in the meantime. */
static void test_line_keeps_order(void **state)
{
    enum { CAME = 60, RATE = 20 };
    int64_t now = 1000000, due[CAME];

    (void)state;
    begin("20");
    for (unsigned i = 0; i < CAME; i++) {
        due[i] = now + ask(i, false, now);
        assert_in_range(due[i], i < RATE ? now : due[i - 1], now + 3000);
        assert_true((due[i] == now) == (i < RATE));
    }
    for (unsigned i = RATE; i < CAME; i++) {
        assert_true(ask(1000 + i, false, due[i]) > 0); /* a newcomer does not get what is somebody's */
        assert_int_equal(ask(i, false, due[i] - 1), 1);
        assert_int_equal(ask(i, false, due[i]), 0);
    }
    assert_in_range(due[CAME - 1] - now, 1990, 2010); /* 40 at 20 a second, none lost */
    pace_reset();
    option_reset();
}

/* A campaign in the line does not stand before a reply, and all of it leaves at the number's rate. */
static void test_replies_pass_templates(void **state)
{
    enum { CAMPAIGN = 1000, RATE = 100 };
    int64_t now = 1000000, end = now;
    int64_t due[CAMPAIGN];
    unsigned left = 0, replies = 0;

    (void)state;
    begin("100");
    for (unsigned i = 0; i < CAMPAIGN; i++) {
        due[i] = now + ask(i, true, now);
        left += due[i] > now;
    }
    assert_int_equal(left, CAMPAIGN - RATE * 4 / 5);
    for (; left > 0 && end < now + 20000; end++) {
        if (end % 100 == 0) { /* ten replies a second */
            assert_int_equal(ask(CAMPAIGN + replies++, false, end), 0);
        }
        for (unsigned i = 0; i < CAMPAIGN; i++) {
            if (due[i] == end && end > now) {
                due[i] = end + ask(i, true, end);
                left -= due[i] == end;
            }
        }
    }
    assert_int_equal(left, 0);
    assert_in_range(end - now, 9000, 12000); /* 920 templates and the replies at 100 a second */
    pace_reset();
    option_reset();
}

/* A hold makes tickets void: they do not all leave at its end. */
static void test_hold_ends_the_line(void **state)
{
    int64_t now = 1000000;
    unsigned let = 0;

    (void)state;
    begin("20");
    for (unsigned i = 0; i < 100; i++) {
        (void)ask(i, false, now);
    }
    pace_hold("chn_1", 30000, now);
    for (unsigned i = 20; i < 100; i++) {
        assert_int_equal(ask(i, false, now + 10000), 20000);
    }
    for (unsigned i = 20; i < 100; i++) {
        let += ask(i, false, now + 30000) == 0;
    }
    assert_int_equal(let, 20);
    pace_reset();
    option_reset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_throughput),
        cmocka_unit_test(test_pair),
        cmocka_unit_test(test_number),
        cmocka_unit_test(test_line_keeps_order),
        cmocka_unit_test(test_replies_pass_templates),
        cmocka_unit_test(test_hold_ends_the_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
