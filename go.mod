module github.com/sallyport/sallyport

go 1.26.5

require (
	github.com/cespare/xxhash/v2 v2.3.0
	github.com/golang-jwt/jwt/v5 v5.3.1
	github.com/heroiclabs/nakama-common v1.47.0
	github.com/pion/dtls/v2 v2.2.12
	github.com/pion/dtls/v3 v3.1.15
	github.com/pion/logging v0.2.4
	golang.org/x/sys v0.47.0
)

require (
	github.com/pion/transport/v2 v2.2.4 // indirect
	github.com/pion/transport/v5 v5.1.4 // indirect
	golang.org/x/crypto v0.48.0 // indirect
	golang.org/x/net v0.49.0 // indirect
	google.golang.org/protobuf v1.36.11 // indirect
)
