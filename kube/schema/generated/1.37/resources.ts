// Made by tools/generate from Kubernetes 1.37.1. Don't edit: run `npm run generate`.
export {};
