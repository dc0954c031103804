package audit

import "strconv"

// Decision is what was decided. The zero value is none. The numbers are not stable between
// releases; the labels are.
type Decision uint8

const (
	Accept      Decision = iota + 1 // session opened
	Reject                          // session, resumption or renewal refused
	StepUp                          // a fresh identity token is asked for, or the session ends
	Flag                            // recorded only: more than usual, or a fingerprint that may differ
	Revoke                          // session ended by a rule or by the fleet
	Resume                          // session goes on by its ticket or from a snapshot
	Renew                           // next token epoch
	Migrate                         // session goes on from another address
	Replace                         // session ended by a new one from the same address
	Close                           // session ended by its player, by the match or by time
	Ban                             // player kept out, present or absent
	Lift                            // ban ended before its time
	Withdraw                        // trust withdrawn from a player, sign-in, token, key, build or session
	KeyRotation                     // the server's certificate changed; other keys are the program's to record
	Flood                           // far more is refused than usual; one event for all of it
	Alarm                           // something an operator should look at
	Operate                         // a service of the fleet has made a permitted call of the server's API; with a Cause the call failed
	Deny                            // such a service has made a call that it may not make, or too many calls, or was not let in
	numDecisions
)

// OCSF numbers, as of version 1.8.0.
const (
	classAuthentication, classNetwork, classAPI = 3002, 4001, 6003

	activityLogon, activityLogoff = 1, 2 // of Authentication
	activityRefuse                = 5    // of Network Activity
	activityOther                 = 99   // its name is the decision

	informational, low, medium, high = 1, 2, 3, 4

	unknown, success, failure = 0, 1, 2

	allowed, blocked, detected, noAction, logged, alert, revoked, unauthorized = 1, 2, 15, 16, 17, 19, 24, 26
	dispositionOther                                                           = 99 // its name is the decision
)

// mapping names a decision, here and in OCSF.
type mapping struct {
	label                                            string
	class, activity, severity, status, dispositionID int
}

var decisions = [numDecisions]mapping{
	{"none", classNetwork, activityOther, informational, unknown, noAction},
	{"accept", classAuthentication, activityLogon, informational, success, allowed},
	{"reject", classAuthentication, activityLogon, low, failure, unauthorized},
	{"step up", classAuthentication, activityOther, low, unknown, dispositionOther},
	{"flag", classAuthentication, activityOther, low, unknown, detected},
	{"revoke", classAuthentication, activityLogoff, medium, success, revoked},
	{"resume", classAuthentication, activityOther, informational, success, allowed},
	{"renew", classAuthentication, activityOther, informational, success, allowed},
	{"migrate", classAuthentication, activityOther, informational, success, allowed},
	{"replace", classAuthentication, activityOther, informational, success, logged},
	{"close", classAuthentication, activityLogoff, informational, success, logged},
	{"ban", classAuthentication, activityOther, medium, success, revoked},
	{"lift", classAuthentication, activityOther, informational, success, allowed},
	{"withdraw", classAuthentication, activityOther, medium, success, revoked},
	{"key rotation", classNetwork, activityOther, informational, success, logged},
	{"flood", classNetwork, activityRefuse, medium, failure, blocked},
	{"alarm", classNetwork, activityOther, high, unknown, alert},
	{"operate", classAPI, activityOther, informational, success, allowed},
	{"deny", classAPI, activityOther, medium, failure, unauthorized},
}

// String returns the decision in lower-case words; "decision N" for a value that does not exist.
func (d Decision) String() string {
	if d >= numDecisions {
		return "decision " + strconv.Itoa(int(d))
	}
	return decisions[d].label
}

// mapping is the one of none for a value that does not exist.
func (d Decision) mapping() mapping {
	if d >= numDecisions {
		d = 0
	}
	return decisions[d]
}

// activityName is the caption that belongs to an activity, the decision where that is Other.
func (m mapping) activityName() string {
	switch {
	case m.activity == activityOther:
		return m.label
	case m.class == classNetwork:
		return "Refuse"
	case m.activity == activityLogon:
		return "Logon"
	}
	return "Logoff"
}
