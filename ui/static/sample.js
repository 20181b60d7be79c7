// A sample in the page: its instances and ignore region as an immutable state, and back to the record that is saved.
// An instance carries, besides the record's fields, `work`: what only this page knows of how its mask came about.
import { area, isEmpty } from "./rle.js";

export const LABEL_LENGTH = 200;
export const MAX_DEPTH = 4;

const PALETTE = [
    "#ff5252", "#3fa2ff", "#ffb52e", "#2ecc71", "#c77dff", "#12d6d6", "#ff7ac6", "#a8e63c", "#ff8b45", "#8796ff", "#e8d21d", "#48e0b0",
];
export const colourOf = id => PALETTE[(id - 1) % PALETTE.length];

export const EMPTY_PROMPT = { points: [], box: null };
export const steps = prompt => prompt.points.length + (prompt.box ? 1 : 0);

// {instances, ignore, ring, active}: `ring` are the corners of a polygon that is not closed yet, `active` an instance's id.
export function stateOf(sample) {
    return { instances: sample.instances.map(instance => ({ ...instance, work: {} })), ignore: sample.ignore, ring: null, active: null };
}

// The record of a state; `question` has the fields that the form fills.
export function recordOf(sample, state, question) {
    const instances = state.instances.map(({ work, ...instance }) => ({ source_id: "", ...instance }));
    const ignore = state.ignore && !isEmpty(state.ignore) ? state.ignore : null;
    return { ...sample, ...question, instances, ignore };
}

export const find = (state, id) => state.instances.find(instance => instance.id === id) ?? null;

export const nextId = state => Math.max(0, ...state.instances.map(instance => instance.id)) + 1;

// The state with an instance put in place of the one with its id, or added, and made the active one.
export function withInstance(state, instance) {
    const known = state.instances.some(other => other.id === instance.id);
    const instances = known ? state.instances.map(other => (other.id === instance.id ? instance : other)) : [...state.instances, instance];
    return { ...state, instances, active: instance.id };
}

export function withoutInstance(state, id) {
    return { ...state, instances: state.instances.filter(instance => instance.id !== id), active: state.active === id ? null : state.active };
}

// What a submission still lacks, by the field that is to be marked; the server's own words are shown.
export function lacking(record) {
    const fields = [];
    if (!record.query) fields.push("query");
    if (!record.instances.length && !record.no_target) fields.push("instances");
    if (record.instances.some(instance => !area(instance.mask))) fields.push("instances");
    if (!record.reasoning_type) fields.push("type");
    if (!record.depth) fields.push("hops");
    return fields;
}
