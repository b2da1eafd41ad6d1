package elastic

// aci is Azure Container Instances in an AKS cluster, in three generations. The
// add-on's node has nothing of its own but its name, which the vendor's
// walk-through shows. Its successor, installed by a chart, is selected by the
// label. The taint is what aks-engine's connector set by default, and what the
// vendor's examples still tolerate.
//
// A location without capacity shows as virtual-kubelet's ProviderFailed, with
// Azure's answer as the message (virtual-kubelet/virtual-kubelet#592).
var aci = Provider{
	Name:   "aci",
	Labels: []Label{{Key: "virtualization", Value: "virtualnode2"}},
	Taints: []string{"azure.com/aci"},
	Names:  []string{"virtual-node-aci-linux"},
}
