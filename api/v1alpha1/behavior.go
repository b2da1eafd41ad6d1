package v1alpha1

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Behavior paces moves. A manifest's behavior block may be copied from an HPA as it is. The two outer types are written
// out here, rather than taken from HPA's API, because that is where the schema takes its rules and bounds from.
type Behavior struct {
	// ScaleUp paces moves up. Default, as in HPA: no window, and 4 pods or 100 percent per 15s, whichever is more.
	ScaleUp *ScalingRules `json:"scaleUp,omitempty"`
	// ScaleDown paces moves down. Default, as in HPA: a window of 300s, and no further limit.
	ScaleDown *ScalingRules `json:"scaleDown,omitempty"`
}

// ScalingRules pace moves in one direction.
type ScalingRules struct {
	// StabilizationWindowSeconds is how long past demands are remembered, 0 to 3600: a move up goes to the lowest of
	// them, a move down to the highest.
	//
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3600
	StabilizationWindowSeconds *int32 `json:"stabilizationWindowSeconds,omitempty"`
	// SelectPolicy says which of several policies holds: Max (default) is the one that allows most change, Min the one
	// that allows least, and Disabled forbids moves in this direction.
	//
	// +kubebuilder:validation:Enum=Max;Min;Disabled
	SelectPolicy *autoscalingv2.ScalingPolicySelect `json:"selectPolicy,omitempty"`
	// Policies limit how many pods, or what percentage of them, may come or go within a period.
	//
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="size(self) > 0",message="policies must not be empty; leave the list out for HPA's defaults"
	// +kubebuilder:validation:items:XValidation:rule="self.type in ['Pods', 'Percent']",message="type must be Pods or Percent"
	// +kubebuilder:validation:items:XValidation:rule="self.value > 0",message="value must be above 0; to forbid any change set selectPolicy to Disabled"
	// +kubebuilder:validation:items:XValidation:rule="self.periodSeconds >= 1 && self.periodSeconds <= 1800",message="periodSeconds must be 1 to 1800"
	Policies []autoscalingv2.HPAScalingPolicy `json:"policies,omitempty"`
	// Tolerance is how far the load may be from a target given alone before replicas move in this direction, as a ratio,
	// 0 or more. Default "0.1". It says nothing where low and high are given.
	//
	// +kubebuilder:validation:Schemaless
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && !quantity(string(self)).isLessThan(quantity('0'))",message="tolerance must be a number of 0 or more, such as '0.1'"
	Tolerance *resource.Quantity `json:"tolerance,omitempty"`
}
