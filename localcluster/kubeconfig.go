package main

import (
	"fmt"
	"os"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// writeKubeconfig writes a self-contained kubeconfig for the client certificate pki/<user>: the file may be copied away.
func writeKubeconfig(d clusterDir, user, server, file string) error {
	config := api.NewConfig()
	cluster, auth := api.NewCluster(), api.NewAuthInfo()
	cluster.Server = server
	for _, f := range []struct {
		file string
		into *[]byte
	}{
		{d.pki("ca.crt"), &cluster.CertificateAuthorityData},
		{d.pki(user + ".crt"), &auth.ClientCertificateData},
		{d.pki(user + ".key"), &auth.ClientKeyData},
	} {
		data, err := os.ReadFile(f.file)
		if err != nil {
			return fmt.Errorf("read what goes into a kubeconfig: %w", err)
		}
		*f.into = data
	}
	config.Clusters["localcluster"] = cluster
	config.AuthInfos[user] = auth
	config.Contexts["localcluster"] = &api.Context{Cluster: "localcluster", AuthInfo: user}
	config.CurrentContext = "localcluster"
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		return fmt.Errorf("write kubeconfig %s: %w", file, err)
	}
	return nil
}
