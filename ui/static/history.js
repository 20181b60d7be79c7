// Undo and redo over immutable states. Changes with one tag in a row, such as the keystrokes in a label, are one step.
const DEPTH = 500;

export class History {
    past = [];
    future = [];
    tag = null;

    constructor(present) {
        this.present = present;
    }

    commit(state, tag = null) {
        if (tag === null || tag !== this.tag) this.past.push(this.present);
        if (this.past.length > DEPTH) this.past.shift();
        this.tag = tag;
        this.future = [];
        this.present = state;
    }

    // A change that undo does not count as a step, such as which instance is active.
    touch(state) {
        this.present = state;
    }

    undo() {
        return this.#step(this.past, this.future);
    }

    redo() {
        return this.#step(this.future, this.past);
    }

    #step(from, to) {
        if (!from.length) return false;
        to.push(this.present);
        this.present = from.pop();
        this.tag = null;
        return true;
    }
}
