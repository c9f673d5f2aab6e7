/* Malformed and odd requests against a real server: each row says what one client sends, what it must get,
 * and whether the connection must be closed afterwards. A refusal is one answer and then the end: whatever
 * was hidden behind the malformed part is never answered. Accepted rows are followed by a probe on the same
 * connection. */
#include "http_fixture.h"

#define H     "Host: a.example\r\n"
#define END   "\r\n"
#define EVIL  "GET /evil HTTP/1.1\r\n" H END
#define GET11 "GET /x HTTP/1.1\r\n"
#define POST  "POST /x HTTP/1.1\r\n"

struct row {
    const char *label;
    const char *bytes;
    size_t size;
    int status; /* of the one answer */
    bool open;  /* the connection goes on */
};

#define ACCEPT(label, bytes)         {label, bytes, sizeof(bytes) - 1, 200, true},
#define CLOSES(label, bytes)         {label, bytes, sizeof(bytes) - 1, 200, false},
#define REFUSE(label, status, bytes) {label, bytes, sizeof(bytes) - 1, status, false},

/* clang-format off */
static const struct row ROWS[] = {
    /* what must be taken */
    ACCEPT("plain get", GET11 H END)
    ACCEPT("one empty line in front", "\r\n" GET11 H END)
    ACCEPT("host with port", GET11 "Host: a.example:8080\r\n" END)
    ACCEPT("host is IPv6", GET11 "Host: [::1]:80\r\n" END)
    ACCEPT("field names in any case", GET11 "hOsT: a\r\n" END)
    ACCEPT("no space behind the colon", GET11 "Host:a\r\nX:y\r\n" END)
    ACCEPT("tabs and spaces around a value", GET11 "Host: \t a \t \r\n" END)
    ACCEPT("empty value", GET11 H "X-Empty:\r\n" END)
    ACCEPT("obs-text in a value", GET11 H "X-Name: caf\xe9\r\n" END)
    ACCEPT("same ordinary field twice", GET11 H "X-A: 1\r\nX-A: 2\r\n" END)
    ACCEPT("leading zeros of a length", POST H "Content-Length: 0003\r\n" END "abc")
    ACCEPT("length zero", POST H "Content-Length: 0\r\n" END)
    ACCEPT("chunked in capitals", POST H "Transfer-Encoding: CHUNKED\r\n" END "1\r\na\r\n0\r\n\r\n")
    ACCEPT("chunk size in capitals and zeros", POST H "Transfer-Encoding: chunked\r\n" END "00A\r\n0123456789\r\n0\r\n\r\n")
    ACCEPT("chunk extension with quotes", POST H "Transfer-Encoding: chunked\r\n" END "1;a=\"b;c\"\r\na\r\n0;z\r\n\r\n")
    ACCEPT("framing fields in trailers mean nothing",
           POST H "Transfer-Encoding: chunked\r\n" END "1\r\na\r\n0\r\nContent-Length: 44\r\nHost: b\r\n\r\n")
    ACCEPT("get with a body", GET11 H "Content-Length: 2\r\n" END "ab")
    ACCEPT("question mark in the query", "GET /x?a=?&b=/.. HTTP/1.1\r\n" H END)
    ACCEPT("absolute form", "GET http://a.example/x HTTP/1.1\r\n" H END)
    ACCEPT("absolute form without a path", "GET http://a.example HTTP/1.1\r\n" H END)
    ACCEPT("keep-alive on 1.0", "GET /x HTTP/1.0\r\nConnection: keep-alive\r\n" END)
    ACCEPT("expectation on 1.0 is not looked at", "GET /x HTTP/1.0\r\nConnection: keep-alive\r\nExpect: cake\r\n" END)
    CLOSES("1.0 without a host", "GET /x HTTP/1.0\r\n" END)
    CLOSES("what follows a close is not read", GET11 H "Connection: close\r\n" END EVIL)
    CLOSES("what follows 1.0 is not read", "GET /x HTTP/1.0\r\n" END EVIL)

    /* lines */
    REFUSE("bare LF everywhere", 400, "GET /x HTTP/1.1\nHost: a\n\n")
    REFUSE("bare LF behind the request line", 400, "GET /x HTTP/1.1\n" H END)
    REFUSE("bare LF behind a field", 400, GET11 "Host: a\nX: y\r\n" END)
    REFUSE("bare LF as the end of the head", 400, GET11 H "\n")
    REFUSE("bare CR in a value", 400, GET11 H "X: a\rb\r\n" END)
    REFUSE("bare CR hides a field", 400, POST H "X: a\rContent-Length: 5\r\n" END EVIL)
    REFUSE("CR CR LF", 400, GET11 H "X: a\r\r\n" END)
    REFUSE("bare CR in the request line", 400, "GET /x\r HTTP/1.1\r\n" H END)
    REFUSE("two empty lines in front", 400, "\r\n\r\n" GET11 H END)
    REFUSE("bare LF in front", 400, "\n" GET11 H END)
    REFUSE("a space in front", 400, " GET /x HTTP/1.1\r\n" H END)
    REFUSE("TLS handshake", 400, "\x16\x03\x01\x02\x00\x01\x00")
    REFUSE("NUL first", 400, "\0GET / HTTP/1.1\r\n" H END)

    /* the request line */
    REFUSE("no version", 400, "GET /x\r\n" H END)
    REFUSE("method only", 400, "GET\r\n" H END)
    REFUSE("no target", 400, "GET  HTTP/1.1\r\n" H END)
    REFUSE("two spaces", 400, "GET  /x HTTP/1.1\r\n" H END)
    REFUSE("two spaces before the version", 400, "GET /x  HTTP/1.1\r\n" H END)
    REFUSE("tab instead of a space", 400, "GET\t/x\tHTTP/1.1\r\n" H END)
    REFUSE("a space behind the version", 400, "GET /x HTTP/1.1 \r\n" H END)
    REFUSE("a space inside the target", 400, "GET /x y HTTP/1.1\r\n" H END)
    REFUSE("version in lower case", 400, "GET /x http/1.1\r\n" H END)
    REFUSE("another protocol", 400, "GET /x HTTPS/1.1\r\n" H END)
    REFUSE("version with two digits", 400, "GET /x HTTP/1.10\r\n" H END)
    REFUSE("version with leading zero", 400, "GET /x HTTP/01.1\r\n" H END)
    REFUSE("version without minor", 400, "GET /x HTTP/1\r\n" H END)
    REFUSE("version 1.2", 505, "GET /x HTTP/1.2\r\n" H END)
    REFUSE("version 9.9", 505, "GET /x HTTP/9.9\r\n" H END)
    REFUSE("version 0.9", 505, "GET /x HTTP/0.9\r\n" H END)
    REFUSE("HTTP/2 preface", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    REFUSE("unknown method", 501, "BREW /x HTTP/1.1\r\n" H END)
    REFUSE("method in lower case", 501, "get /x HTTP/1.1\r\n" H END)
    REFUSE("CONNECT", 501, "CONNECT a:443 HTTP/1.1\r\n" H END)
    REFUSE("TRACE", 501, "TRACE /x HTTP/1.1\r\n" H END)
    REFUSE("method with a bad byte", 400, "G@T /x HTTP/1.1\r\n" H END)
    REFUSE("method glued to another", 501, "GETT /x HTTP/1.1\r\n" H END)

    /* the target */
    REFUSE("NUL in the target", 400, "GET /a\0b HTTP/1.1\r\n" H END)
    REFUSE("control byte in the target", 400, "GET /a\x01 HTTP/1.1\r\n" H END)
    REFUSE("raw UTF-8 in the target", 400, "GET /caf\xc3\xa9 HTTP/1.1\r\n" H END)
    REFUSE("encoded NUL", 400, "GET /a%00b HTTP/1.1\r\n" H END)
    REFUSE("encoded line feed", 400, "GET /a%0ab HTTP/1.1\r\n" H END)
    REFUSE("encoded slash", 400, "GET /a%2Fb HTTP/1.1\r\n" H END)
    REFUSE("encoded backslash", 400, "GET /a%5cb HTTP/1.1\r\n" H END)
    REFUSE("backslash", 400, "GET /a\\b HTTP/1.1\r\n" H END)
    REFUSE("bad escape", 400, "GET /a%zz HTTP/1.1\r\n" H END)
    REFUSE("cut escape", 400, "GET /a%2 HTTP/1.1\r\n" H END)
    REFUSE("not UTF-8", 400, "GET /%ff%fe HTTP/1.1\r\n" H END)
    REFUSE("overlong slash", 400, "GET /a%c0%afb HTTP/1.1\r\n" H END)
    REFUSE("dot segment", 400, "GET /a/./b HTTP/1.1\r\n" H END)
    REFUSE("two dots", 400, "GET /a/../b HTTP/1.1\r\n" H END)
    REFUSE("two dots at the end", 400, "GET /a/.. HTTP/1.1\r\n" H END)
    REFUSE("encoded dots", 400, "GET /%2e%2E/b HTTP/1.1\r\n" H END)
    REFUSE("empty segment", 400, "GET /a//b HTTP/1.1\r\n" H END)
    REFUSE("two slashes in front", 400, "GET //a HTTP/1.1\r\n" H END)
    REFUSE("fragment", 400, "GET /a#b HTTP/1.1\r\n" H END)
    REFUSE("fragment in the query", 400, "GET /a?b#c HTTP/1.1\r\n" H END)
    REFUSE("no slash in front", 400, "GET a HTTP/1.1\r\n" H END)
    REFUSE("asterisk", 400, "OPTIONS * HTTP/1.1\r\n" H END)
    REFUSE("absolute form for another host", 400, "GET http://b.example/x HTTP/1.1\r\n" H END)
    REFUSE("absolute form with a user", 400, "GET http://u@a.example/x HTTP/1.1\r\n" H END)
    REFUSE("another scheme", 400, "GET ftp://a.example/x HTTP/1.1\r\n" H END)

    /* Host */
    REFUSE("no host", 400, GET11 END)
    REFUSE("two hosts", 400, GET11 H "Host: b\r\n" END)
    REFUSE("the same host twice", 400, GET11 H H END)
    REFUSE("two hosts on 1.0", 400, "GET /x HTTP/1.0\r\n" H H END)
    REFUSE("empty host", 400, GET11 "Host:\r\n" END)
    REFUSE("space in the host", 400, GET11 "Host: a b\r\n" END)
    REFUSE("slash in the host", 400, GET11 "Host: a/b\r\n" END)
    REFUSE("at sign in the host", 400, GET11 "Host: u@a\r\n" END)
    REFUSE("list of hosts", 400, GET11 "Host: a, b\r\n" END)
    REFUSE("port too large", 400, GET11 "Host: a:65536\r\n" END)
    REFUSE("port not a number", 400, GET11 "Host: a:8o\r\n" END)
    REFUSE("port empty", 400, GET11 "Host: a:\r\n" END)
    REFUSE("host is a port only", 400, GET11 "Host: :80\r\n" END)
    REFUSE("open bracket", 400, GET11 "Host: [::1\r\n" END)

    /* fields */
    REFUSE("space before the colon", 400, POST H "Content-Length : 5\r\n" END "abcde")
    REFUSE("tab before the colon", 400, POST H "Content-Length\t: 5\r\n" END "abcde")
    REFUSE("folded field", 400, GET11 H "X: a\r\n b\r\n" END)
    REFUSE("field folded with a tab", 400, POST H "Transfer-Encoding:\r\n\tchunked\r\n" END EVIL)
    REFUSE("first field indented", 400, GET11 " Host: a\r\n" END)
    REFUSE("field without a colon", 400, GET11 H "nonsense\r\n" END)
    REFUSE("field without a name", 400, GET11 H ": a\r\n" END)
    REFUSE("space inside a name", 400, GET11 H "X Y: a\r\n" END)
    REFUSE("NUL in a name", 400, GET11 H "X\0Y: a\r\n" END)
    REFUSE("NUL in a value", 400, GET11 H "X: a\0b\r\n" END)
    REFUSE("control byte in a value", 400, GET11 H "X: a\x08\r\n" END)
    REFUSE("DEL in a value", 400, GET11 H "X: a\x7f\r\n" END)
    REFUSE("non-ASCII name", 400, GET11 H "X\xe9: a\r\n" END)
    REFUSE("bracket in a name", 400, GET11 H "X(): a\r\n" END)

    /* framing */
    REFUSE("length and chunked", 400, POST H "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n" END "0\r\n\r\nG")
    REFUSE("chunked and length", 400, POST H "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n" END "0\r\n\r\n")
    REFUSE("length zero and chunked", 400, POST H "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n" END "0\r\n\r\n")
    REFUSE("differing lengths", 400, POST H "Content-Length: 0\r\nContent-Length: 45\r\n" END EVIL)
    REFUSE("the same length twice", 400, POST H "Content-Length: 3\r\nContent-Length: 3\r\n" END "abc")
    REFUSE("list of lengths", 400, POST H "Content-Length: 3, 3\r\n" END "abc")
    REFUSE("empty length", 400, POST H "Content-Length:\r\n" END EVIL)
    REFUSE("signed length", 400, POST H "Content-Length: +3\r\n" END "abc")
    REFUSE("negative length", 400, POST H "Content-Length: -1\r\n" END)
    REFUSE("hexadecimal length", 400, POST H "Content-Length: 0x3\r\n" END "abc")
    REFUSE("length with a space inside", 400, POST H "Content-Length: 1 0\r\n" END "0123456789")
    REFUSE("length with a fraction", 400, POST H "Content-Length: 3.0\r\n" END "abc")
    REFUSE("length beyond 64 bits", 413, POST H "Content-Length: 18446744073709551617\r\n" END "a")
    REFUSE("length beyond the limit", 413, POST H "Content-Length: 1048577\r\n" END)
    REFUSE("bad length on 1.0", 400, "POST /x HTTP/1.0\r\nContent-Length: x\r\n" END)
    REFUSE("xchunked", 400, POST H "Transfer-Encoding: xchunked\r\n" END "0\r\n\r\n")
    REFUSE("chunked in quotes", 400, POST H "Transfer-Encoding: \"chunked\"\r\n" END "0\r\n\r\n")
    REFUSE("gzip, chunked", 400, POST H "Transfer-Encoding: gzip, chunked\r\n" END "0\r\n\r\n")
    REFUSE("chunked, identity", 400, POST H "Transfer-Encoding: chunked, identity\r\n" END "0\r\n\r\n")
    REFUSE("identity", 400, POST H "Transfer-Encoding: identity\r\n" END)
    REFUSE("empty coding", 400, POST H "Transfer-Encoding:\r\n" END)
    REFUSE("chunked twice", 400, POST H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" END "0\r\n\r\n")
    REFUSE("vertical tab before chunked", 400, POST H "Transfer-Encoding: \x0b" "chunked\r\n" END "0\r\n\r\n")
    REFUSE("chunked on 1.0", 400, "POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" END "0\r\n\r\n")
    REFUSE("other expectation", 417, POST H "Content-Length: 1\r\nExpect: cake\r\n" END "a")

    /* chunks */
#define CHUNKED POST H "Transfer-Encoding: chunked\r\n" END
    REFUSE("size not hexadecimal", 400, CHUNKED "g\r\n")
    REFUSE("size missing", 400, CHUNKED "\r\n0\r\n\r\n")
    REFUSE("size with a prefix", 400, CHUNKED "0x1\r\na\r\n0\r\n\r\n")
    REFUSE("size negative", 400, CHUNKED "-1\r\n")
    REFUSE("size behind a space", 400, CHUNKED " 1\r\na\r\n0\r\n\r\n")
    REFUSE("size before a space", 400, CHUNKED "1 \r\na\r\n0\r\n\r\n")
    REFUSE("size wraps at 64 bits", 400, CHUNKED "10000000000000001\r\na\r\n0\r\n\r\n")
    REFUSE("size at the end of 64 bits", 413, CHUNKED "ffffffffffffffff\r\na\r\n0\r\n\r\n")
    REFUSE("size beyond the limit", 413, CHUNKED "100001\r\n")
    REFUSE("sizes together beyond the limit", 413, CHUNKED "1\r\na\r\n100000\r\n")
    REFUSE("size ends in a bare LF", 400, CHUNKED "1\na\r\n0\r\n\r\n")
    REFUSE("size ends in a bare CR", 400, CHUNKED "1\ra\r\n0\r\n\r\n")
    REFUSE("chunk longer than its size", 400, CHUNKED "3\r\nabcXX0\r\n\r\n")
    REFUSE("chunk ends in a bare LF", 400, CHUNKED "3\r\nabc\n0\r\n\r\n")
    REFUSE("chunk ends in CR and another byte", 400, CHUNKED "3\r\nabc\rX0\r\n\r\n")
    REFUSE("LF in an extension", 400, CHUNKED "3;\nabc\r\nabc\r\n0\r\n\r\n")
    REFUSE("NUL in an extension", 400, CHUNKED "3;a\0b\r\nabc\r\n0\r\n\r\n")
    REFUSE("trailer without a colon", 400, CHUNKED "0\r\nnonsense\r\n\r\n")
    REFUSE("trailer folded", 400, CHUNKED "0\r\nX: a\r\n b\r\n\r\n")
    REFUSE("trailer with a space before the colon", 400, CHUNKED "0\r\nX : a\r\n\r\n")
    REFUSE("trailer with a NUL", 400, CHUNKED "0\r\nX: \0\r\n\r\n")
    REFUSE("trailer ends in a bare LF", 400, CHUNKED "0\r\nX: a\n\r\n")
    REFUSE("last line is a bare LF", 400, CHUNKED "0\r\n\n")
    REFUSE("last line is CR and another byte", 400, CHUNKED "0\r\n\rX")
};

/* clang-format on */

static struct http_server *server;

static int setup(void **state)
{
    struct http_config config;
    (void)state;
    log_set(LOG_ERROR, LOG_KEYVALUE);
    http_config_default(&config);
    config.on_request = fixture_echo;
    server = fixture_start(&config);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_end(server);
    return 0;
}

/* Sends the probe that only an open connection answers. */
static bool probe(struct client *client)
{
    struct answer answer;
    bool fine = client_send(client, "GET /probe HTTP/1.1\r\n" H END) && client_answer(client, &answer) &&
                strcmp(buf_str(&answer.body), "GET /probe?\n") == 0;
    answer_fini(&answer);
    return fine;
}

/* What a refusal must look like: the house's error shape, and the end announced. */
static bool refusal_shaped(const struct answer *answer)
{
    const char *type = answer_field(answer, "Content-Type");
    bool json = type != NULL && strcmp(type, "application/json") == 0;
    const char *connection = answer_field(answer, "Connection");
    bool close = connection != NULL && strcmp(connection, "close") == 0;
    return json && close && strncmp(buf_str(&answer->body), "{\"error\":{\"code\":\"", 18) == 0 &&
           answer_field(answer, "X-Request-Id") != NULL;
}

static bool row_holds(const struct row *row)
{
    struct client client;
    struct answer answer;
    client_open(&client, server);
    bool fine = client_send_bytes(&client, row->bytes, row->size) && client_answer(&client, &answer) &&
                answer.status == row->status && (row->status < 400 || refusal_shaped(&answer));
    if (!fine) {
        print_error("row '%s': wanted %d, got %d\n%s\n", row->label, row->status, answer.status,
                    buf_str(&answer.body));
    } else if (row->open ? !probe(&client) : !client_at_end(&client)) {
        print_error("row '%s': the connection should be %s\n", row->label, row->open ? "open" : "closed");
        fine = false;
    }
    answer_fini(&answer);
    client_close(&client);
    return fine;
}

static void test_rows(void **state)
{
    unsigned failed = 0;
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        failed += row_holds(&ROWS[i]) ? 0 : 1;
    }
    assert_int_equal(failed, 0);
}

/* The same rows behind a good request: its answer comes first, then the refusal. */
static void test_rows_pipelined(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct client client;
        struct answer answer;
        client_open(&client, server);
        assert_true(client_send(&client, "GET /first HTTP/1.1\r\n" H END));
        assert_true(client_send_bytes(&client, ROWS[i].bytes, ROWS[i].size));
        assert_true(client_answer(&client, &answer));
        assert_string_equal(buf_str(&answer.body), "GET /first?\n");
        answer_fini(&answer);
        assert_true(client_answer(&client, &answer));
        assert_int_equal(answer.status, ROWS[i].status);
        answer_fini(&answer);
        client_close(&client);
    }
}

/* Sends head, count times piece, tail; returns the status. */
static int send_long(const char *head, const char *piece, size_t count, const char *tail)
{
    struct client client;
    struct answer answer;
    struct buf text;
    buf_init(&text, ANSWER_MAX);
    buf_adds(&text, head);
    for (size_t i = 0; i < count; i++) {
        buf_adds(&text, piece);
    }
    buf_adds(&text, tail);
    client_open(&client, server);
    assert_true(client_send_bytes(&client, text.data, text.len));
    assert_true(client_answer(&client, &answer));
    int status = answer.status;
    if (status >= 400) {
        assert_true(client_at_end(&client));
    }
    answer_fini(&answer);
    client_close(&client);
    buf_fini(&text);
    return status;
}

static void test_limits(void **state)
{
    static const struct {
        const char *label;
        const char *head;
        const char *piece;
        size_t count;
        const char *tail;
        int want;
    } CASES[] = {
        {"target at the limit", "GET /", "a", 8191, " HTTP/1.1\r\n" H END, 200},
        {"target beyond it", "GET /", "a", 8192, " HTTP/1.1\r\n" H END, 414},
        {"target that never ends", "GET /", "a", 9000, "", 414},
        {"method that never ends", "", "A", 9000, "", 414},
        {"field at the limit", GET11 H "X: ", "a", 32768 - 19 - 7, END END, 200},
        {"field beyond it", GET11 H "X: ", "a", 32768, END END, 431},
        {"field that never ends", GET11 H "X: ", "a", 33000, "", 431},
        {"many fields together", GET11 H,
         "X-Padding: 0123456789012345678901234567890123456789012345678901234\r\n", 99, END, 200},
        {"fields at the limit", GET11 H, "A: b\r\n", 99, END, 200},
        {"one field more", GET11 H, "A: b\r\n", 100, END, 431},
        {"fields that never end", GET11 H, "A: b\r\n", 500, "", 431},
        {"trailers beyond the limit", POST H "Transfer-Encoding: chunked\r\n\r\n0\r\n", "A: b\r\n", 200, END,
         431},
        {"long trailer", POST H "Transfer-Encoding: chunked\r\n\r\n0\r\nA: ", "b", 33000, "\r\n\r\n", 431},
        {"long chunk extension", POST H "Transfer-Encoding: chunked\r\n\r\n1;", "b", 300,
         "\r\na\r\n0\r\n\r\n", 400},
        {"many small chunks", POST H "Transfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n", 20000, "0\r\n\r\n",
         200},
        {"body at the limit", POST H "Content-Length: 1048576\r\n\r\n", "0123456789abcdef", 65536, "", 200},
        {"body beyond it, sent all the same", POST H "Content-Length: 1048592\r\n\r\n", "0123456789abcdef",
         65537, "", 413},
        {"chunked body beyond it", POST H "Transfer-Encoding: chunked\r\n\r\n", "10\r\n0123456789abcdef\r\n",
         65537, "0\r\n\r\n", 413},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        int got = send_long(CASES[i].head, CASES[i].piece, CASES[i].count, CASES[i].tail);
        if (got != CASES[i].want) {
            fail_msg("%s: wanted %d, got %d", CASES[i].label, CASES[i].want, got);
        }
    }
}

/* A client that ends its side in the middle of a request hears so; between requests it just goes. */
static void test_cut_short(void **state)
{
    static const struct {
        const char *label;
        const char *bytes;
        int want;
    } CASES[] = {
        {"nothing", "", 0},
        {"an empty line", "\r\n", 0},
        {"half a request line", "GET /x", 400},
        {"half a head", GET11 "Host: a\r\n", 400},
        {"half a body", POST H "Content-Length: 5\r\n\r\nabc", 400},
        {"half a chunk", POST H "Transfer-Encoding: chunked\r\n\r\n5\r\nabc", 400},
        {"no last chunk", POST H "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n", 400},
        {"half a trailer", POST H "Transfer-Encoding: chunked\r\n\r\n0\r\nX: a", 400},
        {"a whole request", GET11 H END, 200},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct client client;
        struct answer answer;
        client_open(&client, server);
        assert_true(client_send(&client, CASES[i].bytes));
        assert_int_equal(shutdown(client.fd, SHUT_WR), 0);
        bool answered = client_answer(&client, &answer);
        if ((answered ? answer.status : 0) != CASES[i].want) {
            fail_msg("%s: wanted %d, got %d", CASES[i].label, CASES[i].want, answer.status);
        }
        answer_fini(&answer);
        assert_true(client_at_end(&client));
        client_close(&client);
    }
}

/* Nobody was shut out, and the count of refusals is the count of refused rows. */
static void test_counters(void **state)
{
    struct http_stats before;
    struct http_stats after;
    (void)state;
    http_server_stats(server, &before);
    assert_true(row_holds(&ROWS[0]));
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        if (ROWS[i].status == 505) {
            assert_true(row_holds(&ROWS[i]));
        }
    }
    http_server_stats(server, &after);
    assert_int_equal(after.refused - before.refused, 4);
    assert_int_equal(after.requests - before.requests, 2);
    assert_int_equal(after.accepted - before.accepted, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),     cmocka_unit_test(test_rows_pipelined),
        cmocka_unit_test(test_limits),   cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_counters),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
