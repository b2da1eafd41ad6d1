// Package v1alpha1 is what users of cusme write: the LoadScaler, and nothing else.
//
// It holds no behaviour. Defaults are resolved in one place only, when the
// controller turns a spec into a policy, so that what stands in a LoadScaler is
// always what its author wrote.
//
// +kubebuilder:object:generate=true
// +groupName=cusme.dev
package v1alpha1
