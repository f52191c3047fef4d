import assert from 'node:assert/strict';
import process from 'node:process';

// run makes checks one after the other. Each prints a line; the exit status is
// 1 when one failed.
export async function run(checks) {
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
      console.log(`ok ${name}`);
    } catch (err) {
      console.log(`FAILED ${name}: ${err.stack}`);
      process.exitCode = 1;
    }
  }
}

// failureOf returns the error that a promise ends with.
export async function failureOf(promise) {
  try {
    await promise;
  } catch (err) {
    return err;
  }
  assert.fail('succeeded, want an error');
}
