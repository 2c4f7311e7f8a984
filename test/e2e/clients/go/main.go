// What the official Go client does inside a pod: list, watch, create, exec over SPDY and WebSocket; and who the API is by its names. Prints a line for each.
package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
)

func must(what string, err error) {
	if err != nil {
		fmt.Printf("%s: %v\n", what, err)
		os.Exit(1)
	}
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	config, err := rest.InClusterConfig()
	must("config", err)
	client, err := kubernetes.NewForConfig(config)
	must("client", err)
	namespace, name := os.Getenv("NAMESPACE"), os.Getenv("HOSTNAME")

	pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	must("list", err)
	found := false
	for _, p := range pods.Items {
		found = found || p.Name == name
	}
	fmt.Printf("list %v\n", found)

	maps := client.CoreV1().ConfigMaps(namespace)
	watch, err := maps.Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	must("watch", err)
	_, err = maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"by": "go"}}, metav1.CreateOptions{})
	must("create", err)
	event := <-watch.ResultChan()
	fmt.Printf("watch %s %s\n", event.Type, event.Object.(*corev1.ConfigMap).Data["by"])
	watch.Stop()

	request := client.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(name).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Command: []string{"cat"}, Stdin: true, Stdout: true}, scheme.ParameterCodec)
	spdy, err := remotecommand.NewSPDYExecutor(config, "POST", request.URL())
	must("spdy", err)
	socket, err := remotecommand.NewWebSocketExecutor(config, "GET", request.URL().String())
	must("websocket", err)
	for i, executor := range []remotecommand.Executor{spdy, socket} {
		var out bytes.Buffer
		err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: strings.NewReader("through"), Stdout: &out})
		must(fmt.Sprintf("exec %d", i), err)
		fmt.Printf("exec %s\n", out.String())
	}

	transport, err := rest.TransportFor(config)
	must("transport", err)
	for _, host := range strings.Fields(os.Getenv("HOSTS")) {
		answer, err := (&http.Client{Transport: transport}).Get("https://" + host + "/version")
		must(host, err)
		answer.Body.Close()
		fmt.Printf("%s %d %s\n", host, answer.StatusCode, answer.Proto)
	}
}
