// Package elastic knows elastic nodes by their marks.
//
// An elastic node stands for a provider's serverless capacity: its pods run on
// no machine of the cluster and are paid by the second. No single mark is
// common to all providers, and operators rename most of them, so a provider is
// recognised by any one of its own. Data too are the signs by which a pod shows
// that its provider is sold out or will take it away, and the foreign objects
// that own the order in which pods go. A new provider is one file with a value,
// and one line in the list below.
package elastic

import (
	"path"

	corev1 "k8s.io/api/core/v1"
)

// Rules are providers in the order in which they are asked.
type Rules []Provider

// Known are the built-in providers. Specific ones come first, because most
// vendors' nodes carry the generic marks of virtual-kubelet as well; of these,
// first the ones with a label or a taint of their own, which outweigh a name.
func Known() Rules {
	return Rules{
		vci,
		eciVNode,
		tkeSuperNode,
		fargate,
		aci,
		eci,
		cci,
		virtualKubelet,
	}
}

// A Provider is the marks by which its nodes are known, any one of which is
// enough, and the signs it leaves in the status of pods on them.
type Provider struct {
	// Name of the provider, as it appears in reasons and metrics.
	Name string
	// Labels a node of this provider carries.
	Labels []Label
	// Taints are taint keys. Values and effects are not looked at: operators override both.
	Taints []string
	// Names are patterns of node names, as path.Match understands them. A name
	// is the weakest mark; give one only where a vendor offers nothing better.
	Names []string
	// Refusals are signs that a pod got no capacity: sold out, over quota, out
	// of addresses. The first one found gives the message.
	Refusals []Sign
	// Notices are signs that a pod's capacity will be taken away soon.
	Notices []Sign
}

// A Label is a node label; an empty Value stands for any value.
type Label struct {
	Key, Value string
}

// Of returns the provider whose elastic node this is.
// ok is false for every other node, and for nil.
func (r Rules) Of(node *corev1.Node) (provider Provider, ok bool) {
	if node == nil {
		return Provider{}, false
	}
	for _, p := range r {
		if p.owns(node) {
			return p, true
		}
	}
	return Provider{}, false
}

func (p Provider) owns(node *corev1.Node) bool {
	return p.labelled(node) || p.tainted(node) || p.named(node)
}

func (p Provider) labelled(node *corev1.Node) bool {
	for _, l := range p.Labels {
		value, ok := node.Labels[l.Key]
		if ok && (l.Value == "" || l.Value == value) {
			return true
		}
	}
	return false
}

func (p Provider) tainted(node *corev1.Node) bool {
	for _, taint := range node.Spec.Taints {
		for _, key := range p.Taints {
			if taint.Key == key {
				return true
			}
		}
	}
	return false
}

func (p Provider) named(node *corev1.Node) bool {
	for _, pattern := range p.Names {
		// A malformed pattern matches nothing; a test parses every one.
		if ok, err := path.Match(pattern, node.Name); ok && err == nil {
			return true
		}
	}
	return false
}
