/* deliver_bare.c: posts over libcurl's multi interface and nothing else. */
#include "tests/bench/deliver_bare.h"

#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "queue/base/clock.h"
#include "queue/base/error.h"

/* What a delivery carries, never changed: made once, and no signature is computed. */
static const char *const lines[] = {
    "Content-Type: application/json",
    "User-Agent: Chasqui-Webhooks/0.1.0",
    "X-ConvoAI-Signature: sha256=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "webhook-id: evt_01K5A7Q2V4N8M6T3R9Y1W0XZMS",
    "webhook-timestamp: 1760000000",
    "webhook-signature: v1,aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=",
    "X-ConvoAI-Event: message.received",
    "X-ConvoAI-Delivery: dlv_01K5A7Q2V4N8M6T3R9Y1W0XZMS",
    "X-ConvoAI-Attempt: 1",
    "Expect:",
};

static size_t drop(char *data, size_t one, size_t size, void *arg)
{
    (void)data;
    (void)arg;
    return one * size;
}

/* One handle, ready to post. */
static CURL *handle_new(const struct deliver_bare *load, const char *body, struct curl_slist *headers)
{
    CURL *easy = curl_easy_init();
    CHECK(easy != NULL);
    curl_easy_setopt(easy, CURLOPT_URL, load->url);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)load->size);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    return easy;
}

/* Takes what has ended and starts it again while posts are left. */
static void reap(CURLM *multi, unsigned long *left, unsigned long *done)
{
    int waiting;
    for (CURLMsg *message = curl_multi_info_read(multi, &waiting); message != NULL;
         message = curl_multi_info_read(multi, &waiting)) {
        CURL *easy = message->easy_handle;
        CHECK(message->data.result == CURLE_OK);
        ++*done;
        curl_multi_remove_handle(multi, easy);
        if (*left > 0) {
            --*left;
            curl_multi_add_handle(multi, easy);
        }
    }
}

/* The header lines of every post. */
static struct curl_slist *headers_new(void)
{
    struct curl_slist *headers = NULL;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        headers = curl_slist_append(headers, lines[i]);
        CHECK(headers != NULL);
    }
    return headers;
}

double deliver_bare(const struct deliver_bare *load)
{
    CURLM *multi = curl_multi_init();
    CURL **handles = xcalloc(load->in_flight, sizeof(*handles));
    char *body = xmalloc(load->size);
    struct curl_slist *headers = headers_new();
    unsigned long left = load->count, done = 0;
    int running;
    memset(body, 'x', load->size);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)load->in_flight);
    int64_t began = clock_mono_us();
    for (unsigned i = 0; i < load->in_flight; i++) {
        handles[i] = handle_new(load, body, headers);
        if (left > 0) {
            left--;
            curl_multi_add_handle(multi, handles[i]);
        }
    }
    while (done < load->count) {
        curl_multi_perform(multi, &running);
        reap(multi, &left, &done);
        if (done < load->count) {
            curl_multi_poll(multi, NULL, 0, 100, NULL);
        }
    }
    double rate = (double)load->count * 1e6 / (double)(clock_mono_us() - began);
    for (unsigned i = 0; i < load->in_flight; i++) {
        curl_easy_cleanup(handles[i]);
    }
    curl_multi_cleanup(multi);
    curl_slist_free_all(headers);
    free(handles);
    free(body);
    return rate;
}
