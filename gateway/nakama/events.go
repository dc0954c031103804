package nakama

import (
	"github.com/heroiclabs/nakama-common/rtapi"
	"google.golang.org/protobuf/encoding/protojson"
)

// asJSON is how Nakama writes JSON for sockets.
var asJSON = protojson.MarshalOptions{UseProtoNames: true, UseEnumNumbers: true}

// event sends an envelope about presences to a player who has asked for them, as a socket with JSON gets it.
// The error is endBehind.
func (l *link) event(e *rtapi.Envelope) error {
	if !l.want.Presences || !l.player.HasLanes() {
		return nil
	}
	b, err := asJSON.Marshal(e)
	if err != nil {
		return nil //nolint:nilerr // Nakama's own texts are UTF-8
	}
	return l.send(laneEvents, b)
}
