import { DurableObject } from 'cloudflare:workers';

export class TestTenant extends DurableObject {}
