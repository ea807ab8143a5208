// The HTTP interface of heap serve; /docs describes it.

import { say } from "./say.js";

export class Refused extends Error {
  // `version` is that of the run where somebody else has changed it.
  constructor(message, version = undefined) {
    super(message);
    this.version = version;
  }
}

async function answer(request) {
  let response;
  try {
    response = await request;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("heap serve does not answer; is it still running?");
  }
  if (response.ok) return response.status === 204 ? null : response.json();
  const told = await response.json().catch(() => null);
  const detail = told?.detail;
  throw new Refused(typeof detail === "string" ? detail : `heap serve says ${response.status}`,
    told?.version);
}

const query = (values) => new URLSearchParams(
  Object.entries(values).filter(([, value]) => value !== undefined && value !== ""));

export const ask = (path, values = {}, options = {}) =>
  answer(fetch(`/api/${path}?${query(values)}`, options));

export const tell = (path, body) => answer(fetch(`/api/${path}`, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
}));

export const bring = (path, file, values = {}) =>
  answer(fetch(`/api/${path}?${query(values)}`, { method: "POST", body: file }));

export const picture = (kind, values) => `/pictures/${kind}?${query(values)}`;

// Does something and shows why where it cannot be done.
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    if (error.name === "AbortError") return undefined;
    if (!(error instanceof Refused)) throw error;
    say(error.message, "bad");
    return undefined;
  }
}
