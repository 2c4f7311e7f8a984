# What the official Python client does inside a pod: list, watch, create, exec. Prints a line for each.
import os

from kubernetes import client, config, watch
from kubernetes.stream import stream

config.load_incluster_config()
api = client.CoreV1Api()
namespace, name = os.environ["NAMESPACE"], os.environ["HOSTNAME"]

pods = api.list_namespaced_pod(namespace)
print("list", str(any(p.metadata.name == name for p in pods.items)).lower())

selector = f"metadata.name={name}"
before = api.list_namespaced_config_map(namespace, field_selector=selector).metadata.resource_version
body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name), data={"by": "python"})
api.create_namespaced_config_map(namespace, body)
events = watch.Watch().stream(
    api.list_namespaced_config_map, namespace, field_selector=selector, resource_version=before, timeout_seconds=30
)
for event in events:
    print("watch", event["type"], event["object"].data["by"])
    break

said = stream(
    api.connect_get_namespaced_pod_exec, name, namespace, command=["echo", "through"], stdout=True, stderr=True
)
print("exec", said.strip())
