package main

import (
	"context"
	"strings"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/token"
)

// settings is what the operator says, in runtime.env of Nakama's configuration:
//
//	COGNITO_USER_POOL_ID  eu-central-1_AbCdEf123; required
//	COGNITO_CLIENT_IDS    the app clients whose players may come in, with commas between them; required
//	COGNITO_GROUPS        when set, a player must be in one of these groups
//	COGNITO_ENDPOINT      an emulator on this machine in place of AWS, http://127.0.0.1:9229; or for a pool in
//	                      another partition, https://cognito-idp.cn-north-1.amazonaws.com.cn
//	SALLYPORT_ADDRESS     UDP address to listen on; without it nakamabridge.DefaultAddress
//	SALLYPORT_PUBLIC      host:port where players reach that; required unless SALLYPORT_ADDRESS names an interface
type settings struct {
	pool            token.CognitoConfig
	address, public string
}

// settingsOf reads the settings. What is missing or wrong is said by who needs it.
func settingsOf(ctx context.Context) settings {
	env, _ := ctx.Value(runtime.RUNTIME_CTX_ENV).(map[string]string)
	return settings{
		pool: token.CognitoConfig{
			Pool:     env["COGNITO_USER_POOL_ID"],
			Clients:  list(env["COGNITO_CLIENT_IDS"]),
			Groups:   list(env["COGNITO_GROUPS"]),
			Endpoint: env["COGNITO_ENDPOINT"],
		},
		address: env["SALLYPORT_ADDRESS"],
		public:  env["SALLYPORT_PUBLIC"],
	}
}

func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}
