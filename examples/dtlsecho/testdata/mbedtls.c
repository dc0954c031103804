/* A client of Mbed TLS 2.28 as its authors mean it to be used: one handshake over DTLS, one line there and back.
 *
 *	mbedtls host port mtu own.pem key.pem
 *
 * Whose certificate the server shows is not looked at: Mbed TLS takes none that nobody has signed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/timing.h>

static void check(const char *what, int ret)
{
	char text[100];

	if (ret >= 0)
		return;
	mbedtls_strerror(ret, text, sizeof text);
	printf("%s: -0x%04x %s\n", what, -ret, text);
	exit(1);
}

int main(int argc, char **argv)
{
	mbedtls_entropy_context entropy;
	mbedtls_ctr_drbg_context random;
	mbedtls_net_context net;
	mbedtls_ssl_config config;
	mbedtls_ssl_context ssl;
	mbedtls_timing_delay_context timer;
	mbedtls_x509_crt own;
	mbedtls_pk_context key;
	unsigned char b[1000];
	int n;

	if (argc < 6)
		return 2;
	mbedtls_entropy_init(&entropy);
	mbedtls_ctr_drbg_init(&random);
	mbedtls_net_init(&net);
	mbedtls_ssl_config_init(&config);
	mbedtls_ssl_init(&ssl);
	mbedtls_x509_crt_init(&own);
	mbedtls_pk_init(&key);

	check("seed", mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, NULL, 0));
	check("connect", mbedtls_net_connect(&net, argv[1], argv[2], MBEDTLS_NET_PROTO_UDP));
	check("config", mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_DATAGRAM,
		MBEDTLS_SSL_PRESET_DEFAULT));
	mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random);
	mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_NONE);
	check("own", mbedtls_x509_crt_parse_file(&own, argv[4]));
	check("key", mbedtls_pk_parse_keyfile(&key, argv[5], NULL));
	check("own", mbedtls_ssl_conf_own_cert(&config, &own, &key));
	check("setup", mbedtls_ssl_setup(&ssl, &config));
	check("name", mbedtls_ssl_set_hostname(&ssl, "localhost"));
	mbedtls_ssl_set_bio(&ssl, &net, mbedtls_net_send, mbedtls_net_recv, mbedtls_net_recv_timeout);
	mbedtls_ssl_set_timer_cb(&ssl, &timer, mbedtls_timing_set_delay, mbedtls_timing_get_delay);
	if (atoi(argv[3]) > 0)
		mbedtls_ssl_set_mtu(&ssl, atoi(argv[3]));
	mbedtls_ssl_conf_read_timeout(&config, 5000);

	check("handshake", mbedtls_ssl_handshake(&ssl));
	printf("suite %s\n", mbedtls_ssl_get_ciphersuite(&ssl));
	check("write", mbedtls_ssl_write(&ssl, (const unsigned char *)"hello\n", 6));
	n = mbedtls_ssl_read(&ssl, b, sizeof b);
	check("read", n);
	printf("echo %.*s", n, b);
	mbedtls_ssl_close_notify(&ssl);
	return 0;
}
