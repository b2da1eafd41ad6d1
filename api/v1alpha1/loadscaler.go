package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// LoadScaler moves the replicas of one target by the load its application reports.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=lsc,categories=all
// +kubebuilder:printcolumn:name=Target,type=string,JSONPath=`.status.summary.target`,description="What is scaled."
// +kubebuilder:printcolumn:name=Load,type=string,JSONPath=`.status.summary.load`,description="The reading behind the last change."
// +kubebuilder:printcolumn:name=Band,type=string,JSONPath=`.status.summary.band`,description="Between these values nothing moves; or the objective."
// +kubebuilder:printcolumn:name=Replicas,type=integer,JSONPath=`.status.currentReplicas`,description="Pods that exist."
// +kubebuilder:printcolumn:name=Desired,type=integer,JSONPath=`.status.desiredReplicas`,description="Replicas decided on."
// +kubebuilder:printcolumn:name=Ready,type=integer,JSONPath=`.status.readyReplicas`,description="Pods that are ready."
// +kubebuilder:printcolumn:name=Ready/Starting/Elastic,type=string,priority=1,JSONPath=`.status.summary.pods`,description="Pods that are ready, on their way, and paid by the second."
// +kubebuilder:printcolumn:name=Why,type=string,JSONPath=`.status.summary.why`,description="The rule that had the final say."
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=`.metadata.creationTimestamp`
type LoadScaler struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   LoadScalerSpec   `json:"spec"`
	Status LoadScalerStatus `json:"status,omitzero"`
}

// LoadScalerList is a list of LoadScalers.
//
// +kubebuilder:object:root=true
type LoadScalerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []LoadScaler `json:"items"`
}

// LoadScalerSpec says what to scale, by which loads, and how boldly.
//
// +kubebuilder:validation:XValidation:rule="!has(self.minReplicas) || self.minReplicas <= self.maxReplicas",message="minReplicas must not be above maxReplicas"
// +kubebuilder:validation:XValidation:rule="has(self.interval) && !self.interval.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') || self.loads.all(l, [has(l.http) && has(l.http.timeout) ? l.http.timeout : 'none', has(l.prometheus) && has(l.prometheus.timeout) ? l.prometheus.timeout : 'none', has(l.pods) && has(l.pods.timeout) ? l.pods.timeout : 'none', has(l.external) && has(l.external.timeout) ? l.external.timeout : 'none'].all(t, !t.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') || duration(t) <= duration(has(self.interval) ? self.interval : '15s')))",message="a load's timeout must not be longer than the interval"
// +kubebuilder:validation:XValidation:rule="self.loads.size() == 0 || self.loads.exists(l, !has(l.input) || !l.input)",message="all loads are inputs: one must ask for replicas"
// +kubebuilder:validation:XValidation:rule="self.loads.size() == 0 || self.loads.exists(l, !has(l.expression))",message="all loads are expressions: they need another load to work on"
// +kubebuilder:validation:XValidation:rule="!has(self.objective) || !has(self.step)",message="objective gives moves their size: leave out step, or objective"
// +kubebuilder:validation:XValidation:rule="!has(self.objective) || self.loads.all(l, !has(l.low) && !has(l.high) && !has(l.target))",message="objective is instead of bands: leave out low, high and target of every load, or objective"
// +kubebuilder:validation:XValidation:rule="has(self.objective) || self.loads.all(l, !has(l.type) || l.type != 'Total' || has(l.target) || has(l.low) || has(l.high))",message="a Total has no default band: give target, or low and high, per replica; or the LoadScaler an objective"
// +kubebuilder:validation:XValidation:rule="!has(self.minReplicas) || self.minReplicas > 0 || self.loads.size() == 0 || self.loads.exists(l, !has(l.pods) && (!has(l.input) || !l.input) && (!has(l.expression) || self.loads.exists(o, !has(o.pods) && !has(o.expression))))",message="minReplicas is 0 and all loads are read from pods: without pods nothing would ever wake the target; set minReplicas to 1, or add a load that is read elsewhere"
// +kubebuilder:validation:XValidation:rule="!has(self.schedules) || self.schedules.all(s, !has(s.minReplicas) || has(s.maxReplicas) || s.minReplicas <= self.maxReplicas)",message="minReplicas of a schedule must not be above maxReplicas: give the schedule a maxReplicas of its own"
// +kubebuilder:validation:XValidation:rule="!has(self.schedules) || self.schedules.all(s, !has(s.maxReplicas) || has(s.minReplicas) || s.maxReplicas >= (has(self.minReplicas) ? self.minReplicas : 1))",message="maxReplicas of a schedule must not be below minReplicas: give the schedule a minReplicas of its own"
type LoadScalerSpec struct {
	// ScaleTargetRef names the object to scale: anything with a scale subresource, in the LoadScaler's own namespace.
	ScaleTargetRef TargetRef `json:"scaleTargetRef"`
	// MinReplicas is the fewest replicas ever asked for; 0 lets the target sleep. Default 1.
	//
	// +kubebuilder:validation:Minimum=0
	MinReplicas *int32 `json:"minReplicas,omitempty"`
	// MaxReplicas is the most replicas ever asked for, at least 1. It outranks every other rule: it is a promise about money.
	//
	// +kubebuilder:validation:Minimum=1
	MaxReplicas int32 `json:"maxReplicas"`
	// Interval is how often polled loads are read, at least 1s. Default 15s.
	//
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('1s')",message="interval must be a duration of at least 1s, such as 15s"
	Interval *metav1.Duration `json:"interval,omitempty"`
	// Loads are the signals to follow; the one that demands most replicas wins.
	//
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Loads []Load `json:"loads"`
	// Objective sizes the target for how long requests may wait, in place of the loads' bands and of step. A Total then
	// means the requests being worked on and waiting together, and a Utilization as many for each ready replica.
	Objective *Objective `json:"objective,omitempty"`
	// Schedules open windows of time in which other bounds hold.
	//
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:XValidation:rule="self.all(s, !has(s.name) || self.exists_one(o, has(o.name) && o.name == s.name))",message="each schedule needs a name of its own"
	Schedules []Schedule `json:"schedules,omitempty"`
	// Fallback says what to do when a load gives no fresh reading for long. Without it, replicas hold.
	Fallback *Fallback `json:"fallback,omitempty"`
	// Step gives fixed steps, as the original cusme took them. Without it the size of a move follows from the load.
	Step *Step `json:"step,omitempty"`
	// Behavior paces moves, in HPA's words and with HPA's meaning and defaults. Beside an objective, which looks back and
	// ahead by itself, nothing is paced but what behavior says.
	Behavior *Behavior `json:"behavior,omitempty"`
	// MinPodAge protects pods: a younger one is never chosen for removal. Default 0s, no protection.
	//
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('0s')",message="minPodAge must be a duration of 0s or more, such as 10m"
	MinPodAge *metav1.Duration `json:"minPodAge,omitempty"`
	// AgeFrom says from when a pod's age counts: Created (default) or Ready.
	AgeFrom AgeFrom `json:"ageFrom,omitempty"`
	// Startup says how long a new pod is trusted to become ready.
	Startup *Startup `json:"startup,omitempty"`
	// Busy says how to ask a pod whether it works on a request, so that one that does stays while another can go. Without
	// it only the pods' annotation cusme.dev/busy tells.
	Busy *Busy `json:"busy,omitempty"`
	// Paused stops all moves for a while: loads are read and decisions reported, and no replicas are written.
	Paused *Paused `json:"paused,omitempty"`
	// DryRun decides and reports, and writes no replicas.
	DryRun bool `json:"dryRun,omitempty"`
}

// Paused stops all moves for a while.
type Paused struct {
	// Until ends the pause by itself. Without it, it lasts until it is removed.
	Until *metav1.Time `json:"until,omitempty"`
	// Reason is told wherever the pause is.
	//
	// +kubebuilder:validation:MaxLength=256
	Reason string `json:"reason,omitempty"`
}

// TargetRef names the object to scale.
type TargetRef struct {
	// APIVersion of the target, such as apps/v1.
	//
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?v[0-9][a-z0-9]*$')",message="apiVersion must be a group and a version, such as apps/v1"
	APIVersion string `json:"apiVersion"`
	// Kind of the target, such as Deployment.
	//
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Z][A-Za-z0-9]*$')",message="kind must be a kind as manifests write it, such as Deployment"
	Kind string `json:"kind"`
	// Name of the target.
	//
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="name must be the name of an object, such as webui"
	Name string `json:"name"`
}

// Step gives the fixed size of a move.
type Step struct {
	// Up is how many replicas one scale-out adds.
	//
	// +kubebuilder:validation:Minimum=1
	Up int32 `json:"up"`
	// Down is how many replicas one scale-in removes.
	//
	// +kubebuilder:validation:Minimum=1
	Down int32 `json:"down"`
}

// AgeFrom says from when a pod's age counts.
//
// +kubebuilder:validation:Enum=Created;Ready
type AgeFrom string

const (
	// AgeFromCreated counts from the pod's creation, as the original did.
	AgeFromCreated AgeFrom = "Created"
	// AgeFromReady counts from the moment the pod became ready.
	AgeFromReady AgeFrom = "Ready"
)

// Startup says how long a new pod is trusted.
type Startup struct {
	// Deadline is the age by which a pod should be ready. Until then it counts as capacity on its way; afterwards it is broken. Default 10m.
	//
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) > duration('0s')",message="deadline must be a duration above 0s, such as 10m"
	Deadline *metav1.Duration `json:"deadline,omitempty"`
}
