package machine

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/fingerprint"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// Cause is the check that has refused a client, or what has ended a session: more exact than the
// drop, which it implies. It is for the operator alone and never goes to a client. The numbers are
// not stable between releases; the labels are.
type Cause uint8

// The causes. Each label begins with that of its drop.
const (
	CauseNone Cause = iota

	CauseHello   // malformed HELLO
	CauseVersion // HELLO of another protocol version
	CauseNoHello // no complete HELLO in time
	CauseBinding // binding mode
	CauseBearer  // BEARER without AllowBearer
	CauseSize    // from here to CauseOther: token.Check
	CauseSpace
	CauseForm
	CauseIssuer
	CauseAlgorithm
	CauseType
	CauseClaim
	CauseAudience
	CauseEarly
	CauseLife
	CauseGroup
	CauseKey
	CauseSignature
	CauseOther
	CausePlayer
	CauseExpired
	CauseUsed
	CauseUsedOwn
	CauseUsedOlder

	CauseScopeHosted
	CauseScopeAsked
	CauseScopeOwn
	CausePlatform
	CauseBuild
	CauseCertificate
	CauseNetwork
	CauseDigest

	CauseFull
	CauseFullPlayer
	CauseFullMemory
	CauseFullShare
	CauseBusy
	CauseBusyKeys
	CauseBusyVerdict
	CauseBusyMoved
	CauseBusyFormer
	CauseUnavailable
	CauseSecret

	CauseBanned
	CauseRevokedPlayer
	CauseRevokedToken
	CauseRevokedSignIn
	CauseRevokedKey
	CauseRevokedBuild
	CauseRevoked
	CauseRevokedElsewhere
	CauseTags
	CauseRate

	CauseTicket
	CauseTicketKey
	CauseTicketExpired
	CauseTicketBinding
	CauseTicketProof
	CauseTicketNumbers
	CauseTicketUsed
	CauseTicketEnded
	CauseSession
	CauseSessionLanes
	CauseElsewhere

	CauseLanesLie
	CauseLanesCredit
	CauseLanesSpan

	CauseMatch
	NumCauses
)

var causes = [NumCauses]struct {
	label    string
	drop     audit.Drop
	sentence string
}{
	CauseNone: {"", audit.DropNone, ""},

	CauseHello:   {"malformed hello", audit.DropMalformed, "HELLO is malformed; the detail says what is."},
	CauseVersion: {"version", audit.DropVersion, "HELLO is of another protocol version."},
	CauseNoHello: {"idle hello", audit.DropIdle, "No complete HELLO came within 5 s of the handshake."},
	CauseBinding: {"binding", audit.DropBinding, "The binding mode is none, without AllowUnbound, or unknown."},
	CauseBearer:  {"state bearer", audit.DropState, "The client sends the identity token in datagrams, without AllowBearer; once a connection."},

	CauseSize:      {"token size", audit.DropToken, "The identity token is too long."},
	CauseSpace:     {"token white space", audit.DropToken, "There is white space around the identity token, which is well-formed otherwise."},
	CauseForm:      {"token form", audit.DropToken, "The identity token is no JWT that is taken: segments, base64url, JSON or header."},
	CauseIssuer:    {"token issuer", audit.DropToken, "No profile has the issuer of the identity token."},
	CauseAlgorithm: {"token algorithm", audit.DropToken, "The identity token's algorithm is not that of the profile or of the key."},
	CauseType:      {"token type", audit.DropToken, "The identity token's typ is not that of the profile."},
	CauseClaim:     {"token claim", audit.DropToken, "A claim is missing, of the wrong type or too long; the detail says which."},
	CauseAudience:  {"token audience", audit.DropToken, "The identity token is for another audience."},
	CauseEarly:     {"token not yet valid", audit.DropToken, "The identity token is not valid yet; the detail says how far off it is."},
	CauseLife:      {"token life", audit.DropToken, "The identity token lives longer than the profile accepts."},
	CauseGroup:     {"token group", audit.DropToken, "The player is in no group that the profile admits."},
	CauseKey:       {"token key unknown", audit.DropToken, "The issuer has no key with the id that the identity token names."},
	CauseSignature: {"token signature", audit.DropToken, "The identity token's signature does not verify."},
	CauseOther:     {"token other", audit.DropToken, "The Verifier refused the identity token with an error of its own."},
	CausePlayer:    {"token player", audit.DropToken, "The identity token for a renewal is another player's."},
	CauseExpired:   {"expired", audit.DropExpired, "The identity token has expired; the detail says how long ago."},
	CauseUsed:      {"used", audit.DropUsed, "The identity token has opened or renewed a session before."},
	CauseUsedOwn:   {"used own", audit.DropUsed, "The identity token for a renewal is the one that the session stands on."},
	CauseUsedOlder: {"used older", audit.DropUsed, "The identity token for a step up was issued before the one that the session stands on."},

	CauseScopeHosted: {"scope hosted", audit.DropScope, "The identity token is for another match than the one that the server hosts."},
	CauseScopeAsked:  {"scope asked", audit.DropScope, "The client asks for another match than the one that its identity token or ticket is for."},
	CauseScopeOwn:    {"scope own", audit.DropScope, "The identity token for a renewal is for another match than the session."},
	CausePlatform:    {"fingerprint platform", audit.DropFingerprint, "The client states another platform than its identity token."},
	CauseBuild:       {"fingerprint build", audit.DropFingerprint, "The client states another build than its identity token."},
	CauseCertificate: {"fingerprint certificate", audit.DropFingerprint, "Token or session is bound to a certificate the client does not show."},
	CauseNetwork:     {"fingerprint network", audit.DropFingerprint, "The session is bound to another network, or a step up has lapsed."},
	CauseDigest:      {"fingerprint digest", audit.DropFingerprint, "Platform, build or certificate are not those of the ticket's session."},

	CauseFull:        {"full", audit.DropFull, "All seats of the server are taken."},
	CauseFullPlayer:  {"full player", audit.DropFull, "The player has as many sessions as one player may have, and none gives way."},
	CauseFullMemory:  {"full memory", audit.DropFull, "The memory of used identity tokens is full."},
	CauseFullShare:   {"full share", audit.DropFull, "The player has used as many identity tokens as one player may have remembered."},
	CauseBusy:        {"busy", audit.DropBusy, "The queue for token verification is full."},
	CauseBusyKeys:    {"busy keys", audit.DropBusy, "The identity token waited for its issuer's keys too long, or too many did."},
	CauseBusyVerdict: {"busy verdict", audit.DropBusy, "There was no verdict on the identity token within 5 s of HELLO."},
	CauseBusyMoved:   {"busy moved", audit.DropBusy, "The session was resumed on another connection at the same moment, or is still to be restored from a snapshot."},
	CauseBusyFormer:  {"busy former", audit.DropBusy, "The session's former connection has not ended yet, although its token has expired."},
	CauseUnavailable: {"unavailable", audit.DropUnavailable, "The issuer's keys are not available."},
	CauseSecret:      {"unavailable secret", audit.DropUnavailable, "Keys for the session could not be derived."},

	CauseBanned:           {"revoked ban", audit.DropRevoked, "The player is banned."},
	CauseRevokedPlayer:    {"revoked subject", audit.DropRevoked, "The player was revoked, and the identity token was issued before."},
	CauseRevokedToken:     {"revoked token", audit.DropRevoked, "The identity token was revoked."},
	CauseRevokedSignIn:    {"revoked sign-in", audit.DropRevoked, "The sign-in of the identity token was revoked."},
	CauseRevokedKey:       {"revoked key", audit.DropRevoked, "The issuer's key that signed the identity token was revoked."},
	CauseRevokedBuild:     {"revoked build", audit.DropRevoked, "The build that the client states was revoked."},
	CauseRevoked:          {"revoked", audit.DropRevoked, "The session itself was revoked."},
	CauseRevokedElsewhere: {"revoked elsewhere", audit.DropRevoked, "The session was put out on another server of the fleet."},
	CauseTags:             {"tag", audit.DropTag, "Too many tags in a row were wrong."},
	CauseRate:             {"rate", audit.DropRate, "Rate or behaviour exceeded the revocation limit."},

	CauseTicket:        {"ticket", audit.DropTicket, "The ticket does not open, or the server gives none."},
	CauseTicketKey:     {"ticket key", audit.DropTicket, "The ticket is sealed with a fleet key that the server does not have."},
	CauseTicketExpired: {"ticket expired", audit.DropTicket, "The ticket has expired."},
	CauseTicketBinding: {"ticket binding", audit.DropTicket, "The ticket is of another binding mode than HELLO."},
	CauseTicketProof:   {"ticket proof", audit.DropTicket, "The client does not prove that the ticket is its own."},
	CauseTicketNumbers: {"ticket numbers", audit.DropTicket, "HELLO states sequences that no session reaches."},
	CauseTicketUsed:    {"ticket used", audit.DropTicket, "The ticket has been used, or a later one of the session."},
	CauseTicketEnded:   {"ticket ended", audit.DropTicket, "The session has ended for good: by player, match, ban or another session of the player."},
	CauseSession:       {"session", audit.DropSession, "Another session of the server has the id or the name of the session in the snapshot."},
	CauseSessionLanes:  {"session lanes", audit.DropSession, "The session in the snapshot has other lanes than the server: its player resumes."},
	CauseElsewhere:     {"session elsewhere", audit.DropSession, "The session was resumed on another server of the fleet."},

	CauseLanesLie:    {"lanes lie", audit.DropLanes, "The client acknowledged a datagram that was never sent; three times end the session."},
	CauseLanesCredit: {"lanes credit", audit.DropLanes, "The client began a message beyond the credit of its lane."},
	CauseLanesSpan:   {"lanes span", audit.DropLanes, "The client used a message id beyond the window of its lane."},

	CauseMatch: {"match", audit.DropMatch, "The match refused the player or put the player out; the detail says what it gives as the reason."},
}

// String returns the label, empty for CauseNone; "cause N" for a value that does not exist.
func (c Cause) String() string {
	if c >= NumCauses {
		return "cause " + strconv.Itoa(int(c))
	}
	return causes[c].label
}

// Describe returns one sentence for operators; empty for CauseNone and a value that does not exist.
func (c Cause) Describe() string {
	if c >= NumCauses {
		return ""
	}
	return causes[c].sentence
}

// Drop returns the drop under which the refusal is counted.
func (c Cause) Drop() audit.Drop {
	if c >= NumCauses {
		return audit.DropNone
	}
	return causes[c].drop
}

// causeOfPart returns the cause of a part of the fingerprint that differs.
func causeOfPart(part fingerprint.Part) Cause {
	switch part {
	case fingerprint.PartPlatform:
		return CausePlatform
	case fingerprint.PartBuild:
		return CauseBuild
	case fingerprint.PartCertificate:
		return CauseCertificate
	case fingerprint.PartNetwork:
		return CauseNetwork
	}
	return CauseDigest
}

// ErrKeysWait is an outcome of a verification that matches session.ErrBusy: the token waited for
// its issuer's keys, and there was no room or no time left.
var ErrKeysWait = fmt.Errorf("%w: waiting for the issuer's keys", session.ErrBusy)

// checkCauses are the causes of the checks that a token may fail.
var checkCauses = map[token.Check]Cause{
	token.CheckSize: CauseSize, token.CheckSpace: CauseSpace, token.CheckForm: CauseForm, token.CheckIssuer: CauseIssuer,
	token.CheckAlgorithm: CauseAlgorithm, token.CheckType: CauseType, token.CheckClaim: CauseClaim, token.CheckAudience: CauseAudience,
	token.CheckGroup: CauseGroup, token.CheckExpired: CauseExpired, token.CheckNotYetValid: CauseEarly, token.CheckLife: CauseLife,
	token.CheckKey: CauseKey, token.CheckKeySet: CauseUnavailable, token.CheckSignature: CauseSignature,
}

// causeOf maps an error of the verifier to a cause.
func causeOf(err error) Cause {
	switch {
	case err == nil:
		return CauseNone
	case errors.Is(err, ErrKeysWait):
		return CauseBusyKeys
	case errors.Is(err, session.ErrBusy):
		return CauseBusy
	}
	if cause, ok := checkCauses[token.CheckOf(err)]; ok {
		return cause
	}
	return CauseOther
}

// detailOf returns what is said of an error of the verifier beside its cause: the text of a
// token.Error, which quotes nothing of the token. It is empty for any other error.
func detailOf(err error) string {
	if e, ok := errors.AsType[*token.Error](err); ok {
		return strings.TrimPrefix(e.Error(), "token: ")
	}
	return ""
}
