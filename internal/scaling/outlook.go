package scaling

import "time"

// An Outlook says of a decision what would have to change for replicas to move,
// and when they can at the earliest.
type Outlook struct {
	// Up and Down are the next moves that are possible.
	Up   Prospect `json:"up"`
	Down Prospect `json:"down"`
}

// A Prospect is one move that is possible.
type Prospect struct {
	// At is when it can come at the earliest if the load stays as it is; zero when it would not come by time alone.
	At time.Time `json:"at,omitzero"`
	// To is the number of replicas it would go to; 0 with neither At nor Load.
	To int32 `json:"to,omitempty"`
	// Load is the value that the deciding load would have to reach for it; nil when no value would do.
	Load *float64 `json:"load,omitempty"`
	// Held names the rule that holds it; empty when only the load does.
	Held Step `json:"held,omitempty"`
	// Why says all this in a sentence.
	Why string `json:"why"`
}
