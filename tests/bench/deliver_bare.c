/* deliver_bare.c: posts over libcurl's multi interface and nothing else. */
#include "tests/bench/deliver_bare.h"

#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "queue/base/clock.h"
#include "queue/base/error.h"

#define BODY 1024

static size_t drop(char *data, size_t one, size_t size, void *arg)
{
    (void)data;
    (void)arg;
    return one * size;
}

/* One handle, ready to post. */
static CURL *handle_new(const char *url, const char *body)
{
    CURL *easy = curl_easy_init();
    CHECK(easy != NULL);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)BODY);
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

double deliver_bare(const char *url, unsigned long count, unsigned in_flight)
{
    static char body[BODY + 1];
    CURLM *multi = curl_multi_init();
    CURL **handles = xcalloc(in_flight, sizeof(*handles));
    unsigned long left = count, done = 0;
    int running;
    memset(body, 'x', BODY);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)in_flight);
    int64_t began = clock_mono_us();
    for (unsigned i = 0; i < in_flight; i++) {
        handles[i] = handle_new(url, body);
        if (left > 0) {
            left--;
            curl_multi_add_handle(multi, handles[i]);
        }
    }
    while (done < count) {
        curl_multi_perform(multi, &running);
        reap(multi, &left, &done);
        if (done < count) {
            curl_multi_poll(multi, NULL, 0, 100, NULL);
        }
    }
    double rate = (double)count * 1e6 / (double)(clock_mono_us() - began);
    for (unsigned i = 0; i < in_flight; i++) {
        curl_easy_cleanup(handles[i]);
    }
    curl_multi_cleanup(multi);
    free(handles);
    return rate;
}
