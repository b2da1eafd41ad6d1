package v1alpha1

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// LoadScaler moves the replicas of one target by the load its application reports.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=lsc,categories=all
type LoadScaler struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   LoadScalerSpec   `json:"spec"`
	Status LoadScalerStatus `json:"status,omitempty"`
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
type LoadScalerSpec struct {
	// ScaleTargetRef names the object to scale: anything with a scale subresource, in the LoadScaler's own namespace.
	ScaleTargetRef TargetRef `json:"scaleTargetRef"`
	// MinReplicas is the fewest replicas ever asked for; 0 lets the target sleep. Default 1.
	MinReplicas *int32 `json:"minReplicas,omitempty"`
	// MaxReplicas is the most replicas ever asked for. It outranks every other rule: it is a promise about money.
	MaxReplicas int32 `json:"maxReplicas"`
	// Interval is how often polled loads are read. Default 15s.
	Interval *metav1.Duration `json:"interval,omitempty"`
	// Loads are the signals to follow; the one that demands most replicas wins.
	Loads []Load `json:"loads"`
	// Step gives fixed steps, as the original cusme took them. Without it the size of a move follows from the load.
	Step *Step `json:"step,omitempty"`
	// Behavior paces moves: HPA's own type, with HPA's meaning and defaults.
	Behavior *autoscalingv2.HorizontalPodAutoscalerBehavior `json:"behavior,omitempty"`
	// MinPodAge protects pods: a younger one is never chosen for removal. Default 0, no protection.
	MinPodAge *metav1.Duration `json:"minPodAge,omitempty"`
	// AgeFrom says from when a pod's age counts: Created (default) or Ready.
	AgeFrom AgeFrom `json:"ageFrom,omitempty"`
	// Startup says how long a new pod is trusted to become ready.
	Startup *Startup `json:"startup,omitempty"`
	// DryRun decides and reports, and writes no replicas.
	DryRun bool `json:"dryRun,omitempty"`
}

// TargetRef names the object to scale.
type TargetRef struct {
	// APIVersion of the target, such as apps/v1.
	APIVersion string `json:"apiVersion"`
	// Kind of the target, such as Deployment.
	Kind string `json:"kind"`
	// Name of the target.
	Name string `json:"name"`
}

// LoadType says what a load's number means.
type LoadType string

const (
	// Utilization is a ratio per ready replica, such as 0.83.
	Utilization LoadType = "Utilization"
	// Total is a sum over the whole service, such as the length of a queue; its band is per replica.
	Total LoadType = "Total"
)

// Load is one signal: where it is read, and between which values all is well.
type Load struct {
	// Name tells this load from the others in reasons and status.
	Name string `json:"name"`
	// HTTP reads the load from a URL.
	HTTP *HTTPSource `json:"http,omitempty"`
	// Type says what the number means: Utilization (default) or Total.
	Type LoadType `json:"type,omitempty"`
	// Low is the value below which replicas are removed. Default 0.5 when no target is given either.
	Low *resource.Quantity `json:"low,omitempty"`
	// High is the value above which replicas are added. Default 0.8 when no target is given either.
	High *resource.Quantity `json:"high,omitempty"`
	// Target is the value aimed at when replicas move. Default: the middle of the band. Given alone, HPA's tolerance makes the band.
	Target *resource.Quantity `json:"target,omitempty"`
	// StaleAfter is the age beyond which a reading is not believed. Default: three intervals.
	StaleAfter *metav1.Duration `json:"staleAfter,omitempty"`
}

// HTTPSource reads a load with a GET.
type HTTPSource struct {
	// URL to GET, http or https. Redirects are followed within its host only.
	URL string `json:"url"`
	// Value is a CEL expression over the answer that yields the number, such as body.data.load_balance.
	Value string `json:"value"`
	// ObservedAt is a CEL expression that yields the reading's own time, such as timestamp(body.data.time).
	// Without it the answer's Date and Age headers say how old the reading is.
	ObservedAt string `json:"observedAt,omitempty"`
	// Timeout bounds one read, from dialling to the last byte. Default 5s.
	Timeout *metav1.Duration `json:"timeout,omitempty"`
	// TLS settings of an https URL.
	TLS *TLS `json:"tls,omitempty"`
}

// TLS settings of a source.
type TLS struct {
	// InsecureSkipVerify accepts any certificate. Anyone on the way can then set your replicas.
	InsecureSkipVerify bool `json:"insecureSkipVerify,omitempty"`
}

// Step gives the fixed size of a move.
type Step struct {
	// Up is how many replicas one scale-out adds.
	Up int32 `json:"up"`
	// Down is how many replicas one scale-in removes.
	Down int32 `json:"down"`
}

// AgeFrom says from when a pod's age counts.
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
	Deadline *metav1.Duration `json:"deadline,omitempty"`
}
