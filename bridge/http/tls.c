/* tls.c: TLS on the TCP listeners, 1.2 and later.
 *
 * The server holds one context, made from a chain and a key in PEM files. A new one takes its place as a
 * whole or not at all; each connection keeps the context it began with (OpenSSL counts the references), so
 * that a renewed certificate drops nobody. The handshake is under the same deadline as a request's head. */
#include "bridge/http/http_int.h"

#include <pthread.h>
#include <unistd.h>

#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "queue/base/log.h"

/* A context of these files; NULL: the log says why. */
static SSL_CTX *context_new(const char *chain_file, const char *key_file)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    CHECK(context != NULL);
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context,
                        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    if (SSL_CTX_use_certificate_chain_file(context, chain_file) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1) {
        char why[200];
        ERR_error_string_n(ERR_get_error(), why, sizeof why);
        log_error("http.tls_refused", "chain=%s reason=%s", log_quote(chain_file), log_quote(why));
        ERR_clear_error();
        SSL_CTX_free(context);
        return NULL;
    }
    return context;
}

enum err http_server_tls(struct http_server *server, const char *chain_file, const char *key_file)
{
    SSL_CTX *old = NULL;
    if (access(chain_file, R_OK) != 0 || access(key_file, R_OK) != 0) {
        return ERR_NOTFOUND;
    }
    SSL_CTX *context = context_new(chain_file, key_file);
    if (context == NULL) {
        return ERR_INVALID;
    }
    pthread_mutex_lock(&server->tls_lock);
    old = server->tls;
    server->tls = context;
    pthread_mutex_unlock(&server->tls_lock);
    SSL_CTX_free(old);
    return ERR_OK;
}

bool http_tls_on(struct http_server *server)
{
    pthread_mutex_lock(&server->tls_lock);
    bool on = server->tls != NULL;
    pthread_mutex_unlock(&server->tls_lock);
    return on;
}

/* Begins the server's side of TLS on an accepted socket; NULL: it could not. */
struct bufferevent *http_tls_accept(struct http_server *server, struct event_base *base, int fd)
{
    pthread_mutex_lock(&server->tls_lock);
    SSL *ssl = SSL_new(server->tls);
    pthread_mutex_unlock(&server->tls_lock);
    if (ssl == NULL) {
        return NULL;
    }
    struct bufferevent *bev =
        bufferevent_openssl_socket_new(base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (bev == NULL) {
        SSL_free(ssl);
        return NULL;
    }
    bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
    return bev;
}

/* Tells the client that nothing more comes; the socket stays open for what it still sends. */
void http_tls_goodbye(struct bufferevent *bev)
{
    SSL *ssl = bufferevent_openssl_get_ssl(bev);
    if (ssl != NULL && SSL_is_init_finished(ssl)) {
        SSL_shutdown(ssl);
    }
    ERR_clear_error();
}

/* OpenSSL keeps errors for each thread until somebody takes them. */
void http_tls_forget_errors(void)
{
    ERR_clear_error();
}

void http_tls_free(struct http_server *server)
{
    SSL_CTX_free(server->tls);
    pthread_mutex_destroy(&server->tls_lock);
}
