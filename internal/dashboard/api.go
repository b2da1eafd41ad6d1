package dashboard

import (
	"time"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/scaling"
)

// The read-only API behind the page, which the command line reads too. All of
// it is GET and JSON:
//
//	/api/v1/scalers                                  Overview
//	/api/v1/scalers/{namespace}/{name}               Detail
//	/api/v1/scalers/{namespace}/{name}/ticks         Ticks; ?since= and ?until= are RFC 3339 or a duration back from now, ?moves=true leaves out what held
//	/api/v1/scalers/{namespace}/{name}/pods          Lifelines; ?since= and ?until= as for ticks
//	/api/v1/events                                   server-sent events: "row" with a Row, "gone" with {"namespace","name"}; with
//	                                                 ?scaler=namespace/name "tick" with a Tick of that one besides
//
// Errors are an Error with the status code that fits.

// An Overview is every LoadScaler in one look.
type Overview struct {
	// Version is that of cusme, Time the controller's clock.
	Version string    `json:"version"`
	Time    time.Time `json:"time"`
	Rows    []Row     `json:"rows"`
}

// A Row is one LoadScaler in one look.
type Row struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Time is when it was last decided.
	Time time.Time `json:"time"`
	// Summary is that of the status, as of now: target, load, band, pods, state, why, next.
	Summary v1alpha1.Summary `json:"summary"`
	// Load is the value of the deciding load; nil without a fresh one. Low and High are its band; nil under an objective.
	Load *float64 `json:"load"`
	Low  *float64 `json:"low,omitempty"`
	High *float64 `json:"high,omitempty"`
	// ObservedAt is when that value was true; zero where none ever was.
	ObservedAt time.Time `json:"observedAt,omitzero"`
	Replicas   int32     `json:"replicas"`
	Desired    int32     `json:"desired"`
	Ready      int32     `json:"ready"`
	Starting   int32     `json:"starting"`
	Elastic    int32     `json:"elastic"`
	Min        int32     `json:"min"`
	Max        int32     `json:"max"`
	DryRun     bool      `json:"dryRun,omitempty"`
	// Trouble orders the overview: 0 all is well, 1 held back, 2 limited, 3 somebody should look, 4 broken.
	Trouble int `json:"trouble"`
	// Spark is what the sparklines show, oldest first, at most 60 points.
	Spark []SparkPoint `json:"spark,omitempty"`
}

// A SparkPoint is seconds since the Unix epoch, the load or null, and the replicas asked for.
type SparkPoint [3]*float64

// A Detail is one LoadScaler with the ledger of its last decision.
type Detail struct {
	Row    Row                       `json:"row"`
	Status v1alpha1.LoadScalerStatus `json:"status"`
	// Inputs are the loads as the last decision saw them, with their age.
	Inputs []Input `json:"inputs"`
	// Reasons is the ledger, a line for every step that had something to say.
	Reasons []v1alpha1.Reason `json:"reasons"`
	// Outlook says what would have to change for it to move, and when it can.
	Outlook *scaling.Outlook `json:"outlook,omitempty"`
	// Victims are the pods that would go now, in order; with the reason why not of those that are protected.
	Victims []Victim `json:"victims"`
}

// An Input is one load as a decision saw it.
type Input struct {
	Load  string   `json:"load"`
	Value *float64 `json:"value"`
	State string   `json:"state"`
	// Age is how old the value was at the decision, in seconds; nil where there never was one.
	Age     *float64 `json:"age,omitempty"`
	Low     *float64 `json:"low,omitempty"`
	High    *float64 `json:"high,omitempty"`
	Demand  int32    `json:"demand"`
	Message string   `json:"message,omitempty"`
}

// A Victim is a pod in the order in which a scale-in would take it.
type Victim struct {
	Pod     string    `json:"pod"`
	Node    string    `json:"node"`
	Created time.Time `json:"created,omitzero"`
	Ready   bool      `json:"ready"`
	Elastic bool      `json:"elastic"`
	// Busy is Idle, Busy, or empty when nobody knows.
	Busy string `json:"busy,omitempty"`
	// Protected says why it may not go now; empty when it may. Until is when that ends, where it is known.
	Protected string    `json:"protected,omitempty"`
	Until     time.Time `json:"until,omitzero"`
}

// Ticks are decisions of one LoadScaler, oldest first.
type Ticks struct {
	// Since is from when on decisions are known: memory is bounded.
	Since time.Time `json:"since,omitzero"`
	Ticks []Tick    `json:"ticks"`
}

// A Tick is one decision.
type Tick struct {
	Time     time.Time         `json:"time"`
	Load     *float64          `json:"load"`
	Low      *float64          `json:"low,omitempty"`
	High     *float64          `json:"high,omitempty"`
	From     int32             `json:"from"`
	To       int32             `json:"to"`
	Ready    int32             `json:"ready"`
	Starting int32             `json:"starting"`
	Elastic  int32             `json:"elastic"`
	State    string            `json:"state"`
	Wrote    bool              `json:"wrote,omitempty"`
	Refused  string            `json:"refused,omitempty"`
	Reasons  []v1alpha1.Reason `json:"reasons"`
}

// Lifelines are a target's pods through time.
type Lifelines struct {
	Since time.Time  `json:"since,omitzero"`
	Pods  []Lifeline `json:"pods"`
}

// A Lifeline is one pod from birth to its end; times that have not come are zero.
type Lifeline struct {
	Pod            string    `json:"pod"`
	Node           string    `json:"node"`
	Elastic        bool      `json:"elastic"`
	Created        time.Time `json:"created"`
	Ready          time.Time `json:"ready,omitzero"`
	ProtectedUntil time.Time `json:"protectedUntil,omitzero"`
	Gone           time.Time `json:"gone,omitzero"`
	// By says what took it.
	By string `json:"by,omitempty"`
}

// An Error is the answer to a request that could not be served.
type Error struct {
	// Error says what was expected, what came, and what to do.
	Error string `json:"error"`
}
